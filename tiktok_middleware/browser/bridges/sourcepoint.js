// Sourcepoint, and any other platform that speaks the IAB's TCF in the page: purposes 1, 3, 4 and 7 by consent, once the
// visitor has chosen or an earlier choice was found.
(() => {
let choice, heard;
window.tiktok && tiktok.bridge && tiktok.bridge(() => {
  if (!heard && window.__tcfapi) {
    heard = 1;
    __tcfapi('addEventListener', 2, (data, isWell) => {
      if (!isWell || data.gdprApplies === false || !/^(tcloaded|useractioncomplete)$/.test(data.eventStatus)) return;
      choice = [1, 3, 4, 7].every(purpose => data.purpose.consents[purpose] === true);
    });
  }
  return choice;
});
})();
