"""Create an endpoint (BRTC), print what its device needs, and delete it.

It uses the same environment variables as create_participant.py.
"""

import os
import sys

from bw_webrtc import BwError, Client, LibraryError

try:
    with Client.from_env(ca_file=os.environ.get("BW_CA_FILE")) as client:
        created = client.create_endpoint(direction="BIDIRECTIONAL", tag="from Python")
        # An endpoint counts towards the quota of the account until it expires.
        client.delete_endpoint(created.id)
except (BwError, LibraryError) as error:
    sys.exit(f"{error}")

print(f"endpoint    {created.id}")
print(f"token       {created.token[:12]}... ({len(created.token)} characters)")
print(f"expires     {created.expires_at}")
