// Termly: its category `advertising`, in its store once somebody has chosen.
window.tiktok && tiktok.bridge && tiktok.bridge(() => {
  let kept = JSON.parse(localStorage.getItem('TERMLY_API_CACHE')).TERMLY_COOKIE_CONSENT;
  return kept && kept.value && kept.value.advertising;
});
