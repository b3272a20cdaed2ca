// Osano: read the category `MARKETING`. Its cookie or store, which no server can read, shows whether there is a choice.
window.tiktok && tiktok.bridge && tiktok.bridge(() => {
  if (!window.Osano || !Osano.cm) return;
  if (!/(^|;\s)osano_consentmanager=/.test(document.cookie) && !localStorage.getItem('osano_consentmanager')) return null;
  return Osano.cm.getConsent().MARKETING === 'ACCEPT';
});
