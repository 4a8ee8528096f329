"""A session in one breath: two participants who hear everyone in it.

The environment says where and as whom, as for create_participant.py.
"""

import os
import sys

from bw_webrtc import BwError, Client, LibraryError, Subscriptions


def run(client: Client) -> None:
    """Makes a session of two, tells who hears whom, and takes it down."""
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
    with Client(
        os.environ["BW_ACCOUNT_ID"],
        os.environ["BW_USERNAME"],
        os.environ["BW_PASSWORD"],
        base_url=os.environ.get("BW_BASE_URL"),
        ca_file=os.environ.get("BW_CA_FILE"),
    ) as client:
        run(client)
except KeyError as missing:
    sys.exit(f"set {missing} in the environment")
except (BwError, LibraryError) as error:
    sys.exit(f"{error}")
