// What a participant sends: microphone and camera, or a test tone and pattern; and how loud a stream is.

import { loudness } from "./dom.js";

const COLORS = ["#c8c8c8", "#c8c832", "#32c8c8", "#32c832", "#c832c8", "#c83232", "#3232c8"];

let context = null;

/** The audio context of the page. Browsers allow it to start after a click. */
function audioContext() {
  context ??= new AudioContext();
  context.resume();
  return context;
}

/** Opens the microphone, the camera or both. */
export async function openDevices(audio, video) {
  if (!navigator.mediaDevices) {
    throw new Error("the browser allows microphone and camera only on localhost or with HTTPS " +
      "(bw-sandbox --tls)");
  }
  return navigator.mediaDevices.getUserMedia({ audio, video });
}

/** Creates a tone, whose pitch depends on the name, and a moving pattern with the name. */
export function createTest(name, audio, video) {
  const stream = new MediaStream();
  const stops = [];
  if (audio) {
    const { track, stop } = tone(name);
    stream.addTrack(track);
    stops.push(stop);
  }
  if (video) {
    const { track, stop } = pattern(name);
    stream.addTrack(track);
    stops.push(stop);
  }
  stream.stop = () => stops.forEach((stop) => stop());
  return stream;
}

/** Ends what a stream sends. */
export function stop(stream) {
  stream.stop?.();
  for (const track of stream.getTracks()) track.stop();
}

function tone(name) {
  const sound = audioContext();
  const target = sound.createMediaStreamDestination();
  const volume = sound.createGain();
  const oscillator = sound.createOscillator();
  // A note of the pentatonic scale: any two of them sound well together.
  const semitones = [0, 3, 5, 7, 10][[...name].reduce((sum, c) => sum + c.codePointAt(0), 0) % 5];
  oscillator.frequency.value = 330 * 2 ** (semitones / 12);
  volume.gain.value = 0;
  oscillator.connect(volume).connect(target);
  oscillator.start();
  // Two beeps a second: everyone notices when the tone stops.
  const beep = () => {
    const now = sound.currentTime;
    volume.gain.setTargetAtTime(0.25, now, 0.01);
    volume.gain.setTargetAtTime(0, now + 0.25, 0.02);
  };
  beep();
  const timer = setInterval(beep, 500);
  return {
    track: target.stream.getAudioTracks()[0],
    stop() {
      clearInterval(timer);
      oscillator.stop();
    },
  };
}

function pattern(name) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
  const pen = canvas.getContext("2d");
  let frame = 0;
  const draw = () => {
    COLORS.forEach((color, index) => {
      pen.fillStyle = color;
      pen.fillRect(Math.floor((index * 640) / 7), 0, 92, 360);
    });
    pen.fillStyle = "#12181e";
    pen.fillRect(0, 360, 640, 120);
    pen.fillStyle = "#fff";
    pen.beginPath();
    pen.arc(40 + Math.abs(((frame * 6) % 1120) - 560), 330, 26, 0, 2 * Math.PI);
    pen.fill();
    pen.font = "600 44px system-ui, sans-serif";
    pen.fillText(name.slice(0, 20), 24, 418);
    pen.font = "28px ui-monospace, monospace";
    pen.fillText(`${new Date().toTimeString().slice(0, 8)}  frame ${frame}`, 24, 460);
    frame += 1;
  };
  draw();
  const timer = setInterval(draw, 1000 / 15);
  return {
    track: canvas.captureStream(15).getVideoTracks()[0],
    stop: () => clearInterval(timer),
  };
}

/** Returns a function that measures how loud a stream is now, from 0 to 1; null without audio. */
export function loudnessOf(stream) {
  if (!stream.getAudioTracks().length) return null;
  const sound = audioContext();
  const analyser = sound.createAnalyser();
  analyser.fftSize = 1024;
  sound.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    return loudness(10 * Math.log10(power));
  };
}
