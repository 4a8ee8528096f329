"""Create a participant, and print what its device needs.

BW_ACCOUNT_ID, BW_USERNAME and BW_PASSWORD hold the credentials; BW_BASE_URL names another service
than Bandwidth's, such as bw-sandbox, and BW_CA_FILE the authority that signed its certificate.
"""

import os
import sys

import bw_webrtc

try:
    with bw_webrtc.Client(
        os.environ["BW_ACCOUNT_ID"],
        os.environ["BW_USERNAME"],
        os.environ["BW_PASSWORD"],
        base_url=os.environ.get("BW_BASE_URL"),
        ca_file=os.environ.get("BW_CA_FILE"),
    ) as client:
        created = client.create_participant(publish_permissions=["AUDIO"], tag="from Python")
except KeyError as missing:
    sys.exit(f"set {missing} in the environment")
except (bw_webrtc.BwError, bw_webrtc.LibraryError) as error:
    sys.exit(f"{error}")

print(f"participant {created.participant.id}")
print(f"token       {created.token[:12]}... ({len(created.token)} characters)")
