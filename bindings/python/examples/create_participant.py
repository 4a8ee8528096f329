"""Create a participant, and print what its device needs.

The environment contains the credentials: BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET. For a
service other than Bandwidth's, such as bw-sandbox: BW_BASE_URL, BW_ENDPOINTS_URL and BW_TOKEN_URL,
and in BW_CA_FILE the certificate authority.
"""

import os
import sys

import bw_webrtc

try:
    with bw_webrtc.Client.from_env(ca_file=os.environ.get("BW_CA_FILE")) as client:
        created = client.create_participant(publish_permissions=["AUDIO"], tag="from Python")
except (bw_webrtc.BwError, bw_webrtc.LibraryError) as error:
    sys.exit(f"{error}")

print(f"participant {created.id}")
print(f"token       {created.token[:12]}... ({len(created.token)} characters)")
