// Usercentrics 3 and 2: read the service named TikTok if there is one, else the category `marketing`. A default without
// a click is no choice.
window.tiktok && tiktok.bridge && tiktok.bridge(async () => {
  let cmp = window.__ucCmp, ui = window.UC_UI, isOurs = service => /tiktok/i.test(service.name);
  if (cmp) {
    let {consent, services, categories} = await cmp.getConsentDetails(), ours = Object.values(services).filter(isOurs);
    if (consent.required || consent.type === 'IMPLICIT') return;
    return ours[0] ? ours.every(one => one.consent.given === true) : categories.marketing.state === 'ALL_ACCEPTED';
  }
  if (!ui || !ui.isInitialized() || ui.isConsentRequired()) return;
  let all = ui.getServicesBaseInfo(), named = all.filter(isOurs);
  let asked = named[0] ? named : all.filter(one => one.categorySlug === 'marketing');
  return !!asked[0] && asked.every(one => one.consent.status === true);
}, 'UC_UI_INITIALIZED', 'UC_UI_CMP_EVENT', 'UC_CONSENT');
