// Hash the arguments of ttq.identify() as the pixel sends them, and label each key whose value was raw or invalid.
const HASH = /^[0-9a-f]{64}$/i;
const NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const PLAIN = ["city", "state", "country"];
const NORMALISED = {
  email: (value) => value.trim().toLowerCase(),
  phone_number: (value) => value.replace(/[^\d+]/g, ""),
  external_id: (value) => value.trim(),
  first_name: (value) => value.toLowerCase().replace(/[\s\p{P}]/gu, ""),
  last_name: (value) => value.toLowerCase().replace(/[\s\p{P}]/gu, ""),
  zip_code: (value) => value.toLowerCase().replace(/[\s-]/g, ""),
};

function identified(values) {
  const user = {};
  const labels = {};
  const one = (given, key, target) => {
    const text = String(given === null || given === undefined ? "" : given);
    if (!text.trim() || text.toLowerCase() === NOTHING) {
      labels[key] = { label: "invalid" };
      return null;
    }
    if (PLAIN.includes(target)) return text.trim().toLowerCase();
    if (HASH.test(text.trim())) return text.trim().toLowerCase();
    if (key.startsWith("sha256_")) {
      labels[key] = { label: "invalid" };
      return null;
    }
    // TikTok's pixel hashes raw values too; the label lets the inspector report that the page contained one.
    if (target !== "external_id") labels[key] = { label: "raw" };
    return sha256(NORMALISED[target](text));
  };
  for (const key of Object.keys(values || {})) {
    const target = key.replace(/^sha256_/, "");
    if (!PLAIN.includes(target) && !NORMALISED[target]) continue;
    const given = values[key];
    const several = Array.isArray(given);
    const found = several ? given.map((item) => one(item, key, target)).filter(Boolean) : one(given, key, target);
    if (found && found.length) user[target] = found;
  }
  return { user, labels };
}
