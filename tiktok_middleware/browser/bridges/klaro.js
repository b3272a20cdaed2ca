// Klaro: read the service that the setting names, after the visitor has saved a choice that is still complete.
(() => {
let service = (window.tiktok && tiktok.s || {}).klaro, watched;
window.tiktok && tiktok.bridge && tiktok.bridge((_, look) => {
  if (!window.klaro || !klaro.getManager) return;
  let manager = klaro.getManager();
  if (!watched) watched = manager.watch({update: (_, type) => type === 'saveConsents' && setTimeout(look)}) || 1;
  return manager.confirmed && service in manager.savedConsents ? manager.savedConsents[service] === true : null;
});
})();
