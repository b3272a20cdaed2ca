// IAB TCF in the page: read the consent for the configured purposes and vendor, after the visitor has chosen or an earlier choice
// was loaded. A banner that is shown before any choice is no choice.
(() => {
let choice, heard, {tcf: asked = [1, 3, 4, 7], tcf_vendor: vendor} = window.tiktok && tiktok.s || {};
window.tiktok && tiktok.bridge && tiktok.bridge((_, look) => {
  if (!heard && window.__tcfapi) {
    heard = 1;
    __tcfapi('addEventListener', 2, (data, isWell) => {
      if (!isWell || data.gdprApplies === false) return;
      if (/^(tcloaded|useractioncomplete)$/.test(data.eventStatus)) {
        choice = asked.every(purpose => data.purpose.consents[purpose] === true)
          && (!vendor || ((data.vendor || {}).consents || {})[vendor] === true);
      } else if (choice == null) choice = null;
      look();
    });
  }
  return choice;
});
})();
