// Termly: read the category `advertising` from its store, after the visitor has chosen.
window.tiktok && tiktok.bridge && tiktok.bridge(() => {
  let text = localStorage.getItem('TERMLY_API_CACHE'), kept = text && JSON.parse(text).TERMLY_COOKIE_CONSENT;
  if (!text) return window.Termly ? null : undefined;
  return kept && kept.value ? kept.value.advertising : null;
});
