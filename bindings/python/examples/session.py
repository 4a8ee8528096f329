"""A session of two participants that hear everyone in it.

It uses the same environment variables as create_participant.py.
"""

import os
import sys

from bw_webrtc import BwError, Client, LibraryError, Subscriptions


def run(client: Client) -> None:
    """Creates a session of two, prints who hears whom, and deletes everything."""
    session = client.create_session(tag="a room")
    created = [client.create_participant(tag=name) for name in ("alice", "bob")]
    everyone = Subscriptions(session_id=session.id)
    for one in created:
        client.add_participant_to_session(session.id, one.id, everyone)
    for participant in client.list_session_participants(session.id):
        heard = participant.subscriptions == everyone
        print(f"{participant.tag} hears {'everyone in the session' if heard else 'nobody'}")
    for one in created:
        client.delete_participant(one.id)
    client.delete_session(session.id)


try:
    with Client.from_env(ca_file=os.environ.get("BW_CA_FILE")) as client:
        run(client)
except (BwError, LibraryError) as error:
    sys.exit(f"{error}")
