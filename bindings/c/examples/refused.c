/* Prints the parts of two error documents: for a request that is invalid and therefore not sent, and for
 * a wrong client secret. */
#include "from_environment.h"

static void print_error(const char *title, bw_status status, const char *document)
{
    static const char *const parts[] = {"message", "outcome", "httpStatus", "attempts"};
    size_t i;

    printf("%s: %s\n", title, bw_status_name(status));
    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char pointer[32], *value = NULL;
        sprintf(pointer, "/error/%s", parts[i]);
        if (bw_json_get(document, pointer, &value) == BW_OK)
            printf("  %-10s %s\n", parts[i], value);
        bw_free(value);
    }
}

int main(void)
{
    bwt_client_options options = from_environment();
    bwt_error error;
    bw_client *client;
    char *out = NULL;
    bw_status status;

    if (options.client_id != NULL)
        options.client_secret = "not the secret";
    else
        options.password = "not the password";
    if (bwt_client_new(&options, &client, &error) != BW_OK) {
        fprintf(stderr, "%s\n", error.message);
        bwt_error_clear(&error);
        return 1;
    }

    status = bw_create_participant(client, "{\"publishPermissions\": [\"AUDOI\"]}", &out);
    print_error("an invalid request", status, out);
    bw_free(out);
    status = bw_create_participant(client, "{}", &out);
    print_error("a wrong secret", status, out);
    bw_free(out);
    bw_client_free(client);
    return 0;
}
