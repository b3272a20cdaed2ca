// A small stand-in for Google Tag Manager: it reads `dataLayer` and runs the tags of an imported container, or a tag of
// TikTok's template by the fields that the template documents. `container` and `settings` stand before this code.
(() => {
const layer = window.dataLayer = window.dataLayer || [], state = {};
const value = key => key.split('.').reduce((found, part) => found == null ? undefined : found[part], state);
const merge = (target, from) => {
  for (const key of Object.keys(from)) {
    const isPlain = one => one !== null && typeof one === 'object' && Object.getPrototypeOf(one) === Object.prototype;
    if (isPlain(from[key])) merge(target[key] = isPlain(target[key]) ? target[key] : {}, from[key]);
    else target[key] = from[key];
  }
};
const parameter = (one, key) => (one.parameter.find(each => each.key === key) || {}).value;
const variables = {};
for (const one of container.variable) {
  variables[one.name] = one.type === 'c' ? () => settings.constants[one.name] || parameter(one, 'value') : () => value(parameter(one, 'name'));
}
for (const one of container.builtInVariable) variables[one.name] = () => value('event');
variables._event = () => value('event');
window.standIn = {value: name => variables[name]()};
const text = given => given.replace(/\{\{([^}]*)\}\}/g, (_, name) => {
  if (!variables[name]) throw new Error('unknown variable ' + name);
  return variables[name]();
});
const holds = ({type, parameter: [left, right]}) => {
  const [one, other] = [text(left.value), text(right.value)];
  if (type === 'EQUALS') return one === other;
  if (type === 'MATCH_REGEX') return new RegExp(other).test(one);
  throw new Error('unknown condition ' + type);
};
const fires = trigger => [...trigger.customEventFilter, ...trigger.filter].every(holds);
const runHtml = tag => {
  const code = /<script>([\s\S]*)<\/script>/.exec(parameter(tag, 'html'))[1];
  const script = document.createElement('script');
  script.textContent = code.replace(/\{\{([^}]*)\}\}/g, (_, name) => `standIn.value(${JSON.stringify(name)})`);
  document.head.append(script);
};
// TikTok's template (repository tiktok/gtm-template-pixel): fields `event`, `event_id`, `pixel_code` of the tag, and
// `ecommerce`, `user_data`, `tt_content_type` and `tt_external_id` of the data layer.
const runTemplate = () => {
  const event = value('event'), {items = [], value: total, currency = 'USD'} = value('ecommerce') || {}, user = value('user_data') || {};
  const contents = items.map(item => ({
    content_id: item.item_id, content_name: item.item_name, brand: item.item_brand, content_category: item.item_category,
    price: item.price, quantity: item.quantity || 1, content_type: value('tt_content_type') || 'product'}));
  const identity = {sha256_email: user.sha256_email_address, sha256_phone_number: user.sha256_phone_number, external_id: value('tt_external_id')};
  if (Object.values(identity).some(Boolean)) ttq.identify(identity);
  const properties = total === undefined ? {} : {value: total, currency};
  // The template's table of additional properties, as our documentation fills it.
  for (const key of ['content_ids', 'content_type', 'num_items', 'order_id', 'query', 'search_string']) {
    if (value('tiktok.' + key) !== undefined) properties[key] = value('tiktok.' + key);
  }
  ttq.track(event, contents[0] ? {...properties, contents} : properties, {event_id: value('tiktok.event_id'), pixel_code: value('tiktok.pixel_codes')[0]});
};
const process = entry => {
  if (!entry || Object.prototype.toString.call(entry) === '[object Arguments]') return;
  const {event, eventCallback, ...rest} = entry;
  merge(state, rest);
  state.event = event;
  if (!event) return;
  for (const tag of container.tag) {
    if (!tag.firingTriggerId.some(id => fires(container.trigger.find(one => one.triggerId === id)))) continue;
    if (settings.template && tag.name === 'TikTok - event') runTemplate();
    else runHtml(tag);
  }
  if (eventCallback) eventCallback();
};
const native = layer.push;
layer.push = (...entries) => {
  const length = native.apply(layer, entries);
  entries.forEach(process);
  return length;
};
layer.slice().forEach(process);
})();
