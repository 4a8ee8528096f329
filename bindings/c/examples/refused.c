/* Shows what an error says: a request that the library refuses before it is sent, and a call that
 * the service refuses, for the password is wrong. */
#include "from_environment.h"

static void show(const char *what, bw_status status, const char *document)
{
    static const char *const parts[] = {"message", "outcome", "httpStatus", "attempts"};
    size_t i;

    printf("%s: %s\n", what, bw_status_name(status));
    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char pointer[32], *text = NULL;
        sprintf(pointer, "/error/%s", parts[i]);
        if (bw_json_get(document, pointer, &text) == BW_OK)
            printf("  %-10s %s\n", parts[i], text);
        bw_free(text);
    }
}

int main(void)
{
    bwt_client_options where = from_environment();
    bw_client *client;
    char *out = NULL;
    bw_status status;

    where.password = "not the password";
    if (bwt_client_new(&where, &client, NULL) != BW_OK)
        return 1;

    status = bw_create_participant(client, "{\"publishPermissions\": [\"AUDOI\"]}", &out);
    show("a request with a mistake", status, out);
    bw_free(out);
    status = bw_create_participant(client, "{}", &out);
    show("a wrong password", status, out);
    bw_free(out);
    bw_client_free(client);
    return 0;
}
