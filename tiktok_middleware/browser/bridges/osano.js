// Osano: its category `MARKETING`. Its cookie or store, which no server can read, tells whether the visitor has chosen.
window.tiktok && tiktok.bridge && tiktok.bridge(() => {
  if (!window.Osano || !Osano.cm) return;
  if (!/(^|;\s)osano_consentmanager=/.test(document.cookie) && !localStorage.getItem('osano_consentmanager')) return null;
  return Osano.cm.getConsent().MARKETING === 'ACCEPT';
});
