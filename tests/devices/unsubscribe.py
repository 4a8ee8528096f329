"""Removes all subscriptions of a participant. Usage: unsubscribe.py SESSION PARTICIPANT."""

import sys

from bw_webrtc import Client

session, participant = sys.argv[1:]
with Client.from_env() as client:
    client.update_participant_subscriptions(session, participant)
