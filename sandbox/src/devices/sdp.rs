//! What an offer of a device contains that the engine does not report: the streams.

use super::planner::Kind;

/// The largest number of media sections in an offer. The SDK never reuses one.
const MAX_SECTIONS: usize = 64;

/// The directions of a section.
const DIRECTIONS: [&str; 4] = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];

/// A media section that sends audio or video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Identifies the section.
    pub mid: String,
    /// Audio or video.
    pub kind: Kind,
    /// The id of the stream (`a=msid`).
    pub stream: String,
}

/// Returns the sections of an offer that send what the device may publish, and the offer without
/// the others: their direction becomes inactive, so that the answer rejects them.
pub fn read_offer(
    offer: &str,
    is_permitted: impl Fn(Kind) -> bool,
) -> Result<(Vec<Section>, String), &'static str> {
    let mut parts = offer.split_inclusive('\n').peekable();
    let mut text = String::with_capacity(offer.len());
    while let Some(line) = parts.next_if(|line| !line.starts_with("m=")) {
        text.push_str(line);
    }
    let (mut found, mut count) = (Vec::new(), 0);
    while let Some(first) = parts.next() {
        count += 1;
        if count > MAX_SECTIONS {
            return Err("the offer has too many media sections");
        }
        let mut lines = vec![first];
        while let Some(line) = parts.next_if(|line| !line.starts_with("m=")) {
            lines.push(line);
        }
        let kind = match first.split(' ').next() {
            Some("m=audio") => Some(Kind::Audio),
            Some("m=video") => Some(Kind::Video),
            _ => None,
        };
        let is_rejected = kind.is_some_and(|kind| !is_permitted(kind));
        let mut has_direction = false;
        for line in &lines {
            has_direction |= DIRECTIONS.contains(&line.trim_end());
            match line.trim_end() {
                "a=sendonly" | "a=sendrecv" if is_rejected => text.push_str("a=inactive\r\n"),
                _ => text.push_str(line),
            }
        }
        if is_rejected && !has_direction {
            // Without a direction, a section sends and receives.
            text.push_str(if text.ends_with('\n') {
                "a=inactive\r\n"
            } else {
                "\r\na=inactive\r\n"
            });
        }
        if let (Some(kind), false) = (kind, is_rejected) {
            found.extend(sending_section(&lines, kind));
        }
    }
    Ok((found, text))
}

/// The section with these lines, if it sends.
fn sending_section(lines: &[&str], kind: Kind) -> Option<Section> {
    let value = |name: &str| lines.iter().find_map(|line| line.trim_end().strip_prefix(name));
    let has = |text: &str| lines.iter().any(|line| line.trim_end() == text);
    let is_stopped = lines[0].split(' ').nth(1) == Some("0") && !has("a=bundle-only");
    if is_stopped || has("a=inactive") || has("a=recvonly") {
        return None;
    }
    let stream = value("a=msid:")?.split(' ').next().filter(|id| *id != "-")?;
    Some(Section { mid: value("a=mid:")?.to_owned(), kind, stream: stream.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=sendonly\r\na=msid:s-1 t-1\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=sendonly\r\na=msid:s-1 t-2\r\n\
        m=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:3\r\na=inactive\r\na=msid:s-2 t-3\r\n\
        m=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=bundle-only\r\na=mid:4\r\na=sendonly\r\na=msid:s-3 t\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:5\r\na=sendonly\r\na=msid:- t-4\r\n";

    fn section(mid: &str, kind: Kind, stream: &str) -> Section {
        Section { mid: mid.into(), kind, stream: stream.into() }
    }

    #[test]
    fn sending_sections_are_found_and_the_offer_is_unchanged() {
        let (sections, text) = read_offer(OFFER, |_| true).unwrap();
        let expected = [
            section("1", Kind::Audio, "s-1"),
            section("2", Kind::Video, "s-1"),
            section("4", Kind::Audio, "s-3"),
        ];
        assert_eq!(sections, expected);
        assert_eq!(text, OFFER);
    }

    #[test]
    fn sections_without_permission_become_inactive() {
        let (sections, text) = read_offer(OFFER, |kind| kind == Kind::Audio).unwrap();
        assert_eq!(sections.len(), 2);
        let video = &text[text.find("m=video").unwrap()..];
        assert!(video.contains("a=mid:2\r\na=inactive\r\na=msid:s-1"), "{video}");
        assert_eq!(text.matches("a=sendonly").count(), 3);
        // A section without a direction sends as well.
        let (sections, text) = read_offer("m=video 9 X 96\r\na=mid:0", |_| false).unwrap();
        assert_eq!((sections, &*text), (vec![], "m=video 9 X 96\r\na=mid:0\r\na=inactive\r\n"));
    }

    #[test]
    fn invalid_offers_have_no_sections_and_long_ones_are_rejected() {
        for text in ["", "m=", "m=audio", "\r\n\r\n", "a=mid:1", "m=audio \nm=video x\n\u{0}"] {
            assert_eq!(read_offer(text, |_| true).unwrap().0, []);
        }
        assert!(read_offer(&"m=audio 9\r\n".repeat(MAX_SECTIONS + 1), |_| true).is_err());
    }
}
