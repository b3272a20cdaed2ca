// IAB GPP in the page: read an opt-out of sale, sharing or targeted advertising, or Global Privacy Control, in any
// section. Without an opt-out there is no choice. Where a cookie holds the string, the server reads it there.
(() => {
let choice, heard;
let isOut = ([name, value]) => value && typeof value === 'object' ? Object.entries(value).some(isOut) :
  /^(Sale|Sharing|TargetedAdvertising)OptOut$/.test(name) && value === 1 || name === 'Gpc' && !!value || name === 'OptOutSale' && value === 'Y';
window.tiktok && tiktok.bridge && tiktok.bridge((_, look) => {
  if (!heard && window.__gpp) {
    heard = 1;
    __gpp('addEventListener', (event, isWell) => {
      let ping = isWell && event && event.pingData;
      if (!ping || ping.signalStatus === 'not ready') return;
      choice = isOut(['', ping.parsedSections || {}]) ? false : undefined;
      look();
    });
  }
  if (!/(^|;\s)(__gpp|OTGPPConsent|IABGPP_HDR_GppString)=/.test(document.cookie)) return choice;
});
})();
