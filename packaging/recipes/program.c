/* Checks that the library and the headers of a package belong together. */
#include <stdio.h>
#include <string.h>
#include <bw_webrtc.h>

int main(void)
{
    bw_client *client = NULL;
    char *error = NULL;
    bw_status status = bw_client_new("{}", &client, &error);

    printf("libbw_webrtc %s, headers %s, %s\n", bw_version(), BW_VERSION, bw_status_name(status));
    bw_free(error);
    return strcmp(bw_version(), BW_VERSION) != 0 || status != BW_E_CONFIG;
}
