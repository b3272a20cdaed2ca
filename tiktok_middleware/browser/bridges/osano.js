// Osano: its category `MARKETING`; its cookie or store, which no server can read, says that somebody has chosen.
window.tiktok && tiktok.bridge && tiktok.bridge(() => {
  if (!/(^|;\s)osano_consentmanager=/.test(document.cookie) && !localStorage.getItem('osano_consentmanager')) return;
  return window.Osano && Osano.cm && Osano.cm.getConsent().MARKETING === 'ACCEPT';
});
