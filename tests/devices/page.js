// A device: the official SDK, without changes. The tests and the demo call `device` from outside.
import BandwidthRtc from "./device-sdk.js";

const rtc = new BandwidthRtc();
const streams = new Map();
const events = [];

rtc.onStreamAvailable((stream) => {
  const video = document.createElement("video");
  Object.assign(video, { autoplay: true, playsInline: true, srcObject: stream.mediaStream });
  document.getElementById("streams").append(video);
  const { participantId, mediaTypes, alias } = stream;
  streams.set(stream.endpointId, { participantId, mediaTypes, alias, video, mediaStream: stream.mediaStream });
  events.push({ event: "available", streamId: stream.endpointId, participantId, mediaTypes, alias });
});
rtc.onStreamUnavailable((streamId) => {
  streams.get(streamId)?.video.remove();
  streams.delete(streamId);
  events.push({ event: "unavailable", streamId });
});

/** What has arrived of each stream that is available: bytes and energy of audio, frames of video. */
async function received() {
  const connection = rtc.delegate?.subscribingPeerConnection;
  const result = [];
  for (const [streamId, { participantId, mediaTypes, alias, mediaStream }] of streams) {
    const entry = { streamId, participantId, mediaTypes, alias, bytes: 0, energy: 0, frames: 0 };
    for (const receiver of connection?.getReceivers() ?? []) {
      if (!mediaStream.getTracks().includes(receiver.track)) continue;
      for (const stats of (await receiver.getStats()).values()) {
        if (stats.type !== "inbound-rtp") continue;
        if (stats.kind === "audio") {
          entry.bytes += stats.bytesReceived;
          entry.energy += stats.totalAudioEnergy;
        } else {
          entry.frames += stats.framesDecoded;
        }
      }
    }
    result.push(entry);
  }
  return result;
}

window.device = {
  rtc,
  events,
  received,
  async connect(url, token) {
    await rtc.connect({ deviceToken: token }, { websocketUrl: url });
  },
  async publish(constraints, alias) {
    const { endpointId, mediaTypes } = await rtc.publish(constraints, undefined, alias);
    return { streamId: endpointId, mediaTypes };
  },
};
