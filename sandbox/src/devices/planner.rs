//! The planner: who receives which stream. Pure functions of the state, without media.

use std::collections::{BTreeMap, BTreeSet};

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Audio,
    Video,
}

impl Kind {
    /// The name in `publishPermissions` and `mediaTypes`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Audio => "AUDIO",
            Kind::Video => "VIDEO",
        }
    }
}

/// What a participant has subscribed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subscriptions {
    /// Nothing.
    #[default]
    Nothing,
    /// Everyone in the session, including participants that join later.
    Session,
    /// These participants. No aliases means all streams of the participant.
    Participants(BTreeMap<String, BTreeSet<String>>),
}

/// A participant, as the API describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Participant {
    /// The session that the participant is in.
    pub session: Option<String>,
    /// What the participant has subscribed to.
    pub subscriptions: Subscriptions,
    /// What the participant may publish.
    pub permissions: BTreeSet<Kind>,
}

/// Identifies a device. A participant may have several.
pub type DeviceKey = u64;

/// One track that a device publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Identifies the track among those of its device.
    pub mid: String,
    /// The id of its stream.
    pub stream: String,
    /// The alias of its stream.
    pub alias: Option<String>,
    /// Audio or video.
    pub kind: Kind,
}

/// A connected device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Identifies the device.
    pub key: DeviceKey,
    /// The id of its participant.
    pub participant: String,
    /// What it publishes.
    pub tracks: Vec<Track>,
}

/// A track that a device receives: the device that publishes it, and its `mid` there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The device that publishes the track.
    pub device: DeviceKey,
    /// The track.
    pub mid: String,
}

/// The tracks that each device receives. Devices that receive nothing have an empty set.
pub type Plan = BTreeMap<DeviceKey, BTreeSet<Source>>;

/// Returns the tracks that each device receives.
///
/// A device receives a track if both participants are in the same session, the receiving one has
/// subscribed to the publishing one (or to the stream's alias), and the publishing one may publish
/// tracks of this kind. A participant does not receive what its own devices publish.
pub fn plan(participants: &BTreeMap<String, Participant>, devices: &[Device]) -> Plan {
    // Once for all receivers: most devices of a large state are in other sessions, or publish nothing.
    let mut sessions = BTreeMap::<&str, Vec<(&Device, &Participant)>>::new();
    for publisher in devices.iter().filter(|device| !device.tracks.is_empty()) {
        let Some(speaker) = participants.get(&publisher.participant) else { continue };
        if let Some(session) = &speaker.session {
            sessions.entry(session).or_default().push((publisher, speaker));
        }
    }
    let receives = |receiver: &Device| {
        let mut sources = BTreeSet::new();
        let Some(listener) = participants.get(&receiver.participant) else { return sources };
        let others = listener.session.as_deref().and_then(|session| sessions.get(session));
        for (publisher, speaker) in others.into_iter().flatten() {
            if publisher.participant == receiver.participant {
                continue;
            }
            for track in &publisher.tracks {
                if speaker.permissions.contains(&track.kind)
                    && is_subscribed(&listener.subscriptions, &publisher.participant, track)
                {
                    sources.insert(Source { device: publisher.key, mid: track.mid.clone() });
                }
            }
        }
        sources
    };
    devices.iter().map(|device| (device.key, receives(device))).collect()
}

fn is_subscribed(subscriptions: &Subscriptions, publisher: &str, track: &Track) -> bool {
    match subscriptions {
        Subscriptions::Nothing => false,
        Subscriptions::Session => true,
        Subscriptions::Participants(participants) => {
            participants.get(publisher).is_some_and(|aliases| {
                aliases.is_empty() || track.alias.as_ref().is_some_and(|a| aliases.contains(a))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subscriptions() -> impl Strategy<Value = Subscriptions> {
        let aliases = prop::collection::btree_set("[xyz]", 0..3);
        prop_oneof![
            Just(Subscriptions::Nothing),
            Just(Subscriptions::Session),
            prop::collection::btree_map("[a-e]", aliases, 1..4)
                .prop_map(Subscriptions::Participants),
        ]
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![Just(Kind::Audio), Just(Kind::Video)]
    }

    fn participants() -> impl Strategy<Value = BTreeMap<String, Participant>> {
        let participant =
            (prop::option::of("[st]"), subscriptions(), prop::collection::btree_set(kind(), 0..3))
                .prop_map(|(session, subscriptions, permissions)| Participant {
                    session,
                    subscriptions,
                    permissions,
                });
        prop::collection::btree_map("[a-e]", participant, 0..6)
    }

    /// Devices of participants that may not exist; a participant may have several.
    fn devices() -> impl Strategy<Value = Vec<Device>> {
        let track = (prop::option::of("[xyz]"), kind());
        let device = ("[a-e]", prop::collection::vec(track, 0..4));
        prop::collection::vec(device, 0..7).prop_map(|devices| {
            let mut key = 0;
            devices
                .into_iter()
                .map(|(participant, tracks)| {
                    key += 1;
                    let tracks = tracks
                        .into_iter()
                        .enumerate()
                        .map(|(mid, (alias, kind))| Track {
                            mid: mid.to_string(),
                            stream: format!("{key}-{mid}"),
                            alias,
                            kind,
                        })
                        .collect();
                    Device { key, participant, tracks }
                })
                .collect()
        })
    }

    /// The device, the participant and the track of a source.
    fn resolve<'a>(
        source: &Source,
        participants: &'a BTreeMap<String, Participant>,
        devices: &'a [Device],
    ) -> (&'a Device, &'a Participant, &'a Track) {
        let device = devices.iter().find(|device| device.key == source.device).unwrap();
        let track = device.tracks.iter().find(|track| track.mid == source.mid).unwrap();
        (device, &participants[&device.participant], track)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_planned_track_is_allowed(participants in participants(), devices in devices()) {
            let plan = plan(&participants, &devices);
            prop_assert_eq!(plan.len(), devices.len());
            for device in &devices {
                for source in &plan[&device.key] {
                    let (publisher, speaker, track) = resolve(source, &participants, &devices);
                    let listener = &participants[&device.participant];
                    prop_assert_ne!(&publisher.participant, &device.participant);
                    prop_assert!(listener.session.is_some());
                    prop_assert_eq!(&listener.session, &speaker.session);
                    prop_assert!(speaker.permissions.contains(&track.kind));
                    prop_assert_ne!(&listener.subscriptions, &Subscriptions::Nothing);
                    if let Subscriptions::Participants(named) = &listener.subscriptions {
                        let aliases = &named[&publisher.participant];
                        let alias = track.alias.as_ref();
                        prop_assert!(aliases.is_empty() || aliases.contains(alias.unwrap()));
                    }
                }
            }
        }

        #[test]
        fn session_subscription_receives_every_permitted_track_of_the_session(
            participants in participants(), devices in devices()
        ) {
            let plan = plan(&participants, &devices);
            for device in &devices {
                let Some(listener) = participants.get(&device.participant) else { continue };
                if listener.session.is_none() || listener.subscriptions != Subscriptions::Session {
                    continue;
                }
                let expected: usize = devices
                    .iter()
                    .filter(|other| other.participant != device.participant)
                    .filter_map(|other| Some((other, participants.get(&other.participant)?)))
                    .filter(|(_, speaker)| speaker.session == listener.session)
                    .map(|(other, speaker)| {
                        let permitted = |track: &&Track| speaker.permissions.contains(&track.kind);
                        other.tracks.iter().filter(permitted).count()
                    })
                    .sum();
                prop_assert_eq!(plan[&device.key].len(), expected);
            }
        }

        #[test]
        fn plan_does_not_depend_on_the_order_of_devices(
            participants in participants(), devices in devices()
        ) {
            let reversed: Vec<Device> = devices.iter().rev().cloned().collect();
            prop_assert_eq!(plan(&participants, &devices), plan(&participants, &reversed));
        }

        #[test]
        fn change_of_one_participants_subscriptions_affects_only_its_own_devices(
            participants in participants(), devices in devices(),
            changed in "[a-e]", subscriptions in subscriptions()
        ) {
            let before = plan(&participants, &devices);
            let mut participants = participants;
            if let Some(participant) = participants.get_mut(&changed) {
                participant.subscriptions = subscriptions;
            }
            let after = plan(&participants, &devices);
            for device in devices.iter().filter(|device| device.participant != changed) {
                prop_assert_eq!(&before[&device.key], &after[&device.key]);
            }
        }

        #[test]
        fn removed_participant_is_neither_heard_nor_hears(
            participants in participants(), devices in devices(), removed in "[a-e]"
        ) {
            let mut participants = participants;
            if let Some(participant) = participants.get_mut(&removed) {
                participant.session = None;
            }
            let plan = plan(&participants, &devices);
            for device in &devices {
                for source in &plan[&device.key] {
                    let (publisher, _, _) = resolve(source, &participants, &devices);
                    prop_assert_ne!(&publisher.participant, &removed);
                    prop_assert_ne!(&device.participant, &removed);
                }
            }
        }
    }

    #[test]
    fn empty_list_of_aliases_means_all_streams() {
        let track = |mid: &str, alias: Option<&str>| Track {
            mid: mid.into(),
            stream: mid.into(),
            alias: alias.map(str::to_owned),
            kind: Kind::Audio,
        };
        let tracks = vec![track("0", None), track("1", Some("x")), track("2", Some("y"))];
        let devices = [
            Device { key: 1, participant: "a".into(), tracks },
            Device { key: 2, participant: "b".into(), tracks: Vec::new() },
        ];
        let mids = |aliases: &[&str]| {
            let aliases = aliases.iter().map(|&alias| alias.to_owned()).collect();
            let speaker = Participant {
                session: Some("s".into()),
                permissions: BTreeSet::from([Kind::Audio]),
                ..Participant::default()
            };
            let listener = Participant {
                subscriptions: Subscriptions::Participants([("a".to_owned(), aliases)].into()),
                ..speaker.clone()
            };
            let participants = [("a".to_owned(), speaker), ("b".to_owned(), listener)].into();
            let plan = plan(&participants, &devices);
            plan[&2].iter().map(|source| source.mid.clone()).collect::<Vec<_>>()
        };
        assert_eq!(mids(&[]), ["0", "1", "2"]);
        assert_eq!(mids(&["y"]), ["2"]);
        assert_eq!(mids(&["z"]), [""; 0]);
    }
}
