//! Offers and answers of a device, as bw-sandbox passes them to the media engine. The engine is an optional
//! dependency that takes minutes to build, so this target is not in `src`, and runs only on request.
#![no_main]

use std::time::Instant;

use str0m::change::{SdpAnswer, SdpOffer};
use str0m::media::{Direction, MediaKind};
use str0m::{Candidate, Input, Output, Rtc};

fn rtc() -> Rtc {
    let mut rtc = Rtc::builder().build(Instant::now());
    rtc.add_local_candidate(Candidate::host(([127, 0, 0, 1], 9).into(), "udp").expect("valid"));
    rtc
}

/// Processes what is due, with a limit: a loop without an end is an error.
fn drive(rtc: &mut Rtc) {
    let _ = rtc.handle_input(Input::Timeout(Instant::now()));
    for _ in 0..10_000 {
        match rtc.poll_output() {
            Ok(Output::Timeout(_)) | Err(_) => return,
            Ok(_) => {}
        }
    }
    panic!("the output does not end");
}

fn accept(rtc: &mut Rtc, text: &str) {
    if let Ok(offer) = SdpOffer::from_sdp_string(text) {
        if let Ok(answer) = rtc.sdp_api().accept_offer(offer) {
            let answer = answer.to_sdp_string();
            assert!(SdpAnswer::from_sdp_string(&answer).is_ok(), "{answer}");
        }
    }
    drive(rtc);
}

libfuzzer_sys::fuzz_target!(init: str0m::crypto::from_feature_flags().install_process_default(),
|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Two offers for one connection, separated by a zero byte.
    let (first, second) = text.split_once('\0').unwrap_or((text, text));
    let mut publisher = rtc();
    accept(&mut publisher, first);
    accept(&mut publisher, second);
    let mut subscriber = rtc();
    let mut changes = subscriber.sdp_api();
    for kind in [MediaKind::Audio, MediaKind::Video] {
        changes.add_media(kind, Direction::SendOnly, Some("s-1".into()), None, None);
    }
    let (_, pending) = changes.apply().expect("a change");
    if let Ok(answer) = SdpAnswer::from_sdp_string(first) {
        let _ = subscriber.sdp_api().accept_answer(pending, answer);
    }
    drive(&mut subscriber);
});
