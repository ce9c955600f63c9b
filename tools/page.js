const $ = (id) => document.getElementById(id);
const REST = 0.4;  // seconds for which the last frame stands still, so that the eye finds the beginning

// Calls draw(frame) again and again, `fps` times a second, from the first frame to the last; the button #play stops it.
function play({ fps, frames }, draw) {
  let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  let began = 0;  // when the clips began to play, ms
  const restart = () => { began = performance.now(); };
  const name = () => { $("play").textContent = playing ? "Pause" : "Play"; };
  function tick(now) {
    if (playing) {
      const step = Math.floor(((now - began) / 1000) * fps) % (frames + Math.round(REST * fps));
      draw(Math.min(Math.max(step, 0), frames - 1));
    }
    requestAnimationFrame(tick);
  }
  $("play").addEventListener("click", () => { playing = !playing; restart(); name(); });
  name();
  requestAnimationFrame(tick);
  return { restart };
}
