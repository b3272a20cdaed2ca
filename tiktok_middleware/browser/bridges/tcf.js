// IAB TCF in the page: the purposes that are asked for, by consent, once the visitor has chosen or an earlier choice was
// found. A banner that asks while nothing is known is no choice.
(() => {
let choice, heard, asked = (window.tiktok && tiktok.s || {}).tcf || [1, 3, 4, 7];
window.tiktok && tiktok.bridge && tiktok.bridge((_, look) => {
  if (!heard && window.__tcfapi) {
    heard = 1;
    __tcfapi('addEventListener', 2, (data, isWell) => {
      if (!isWell || data.gdprApplies === false) return;
      if (/^(tcloaded|useractioncomplete)$/.test(data.eventStatus)) {
        choice = asked.every(purpose => data.purpose.consents[purpose] === true);
      } else if (choice == null) choice = null;
      look();
    });
  }
  return choice;
});
})();
