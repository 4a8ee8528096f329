/* A program that is linked with two Rust libraries and uses both. */
#include "from_environment.h"

int other_library_result(void);

int main(void)
{
    bwt_client_options where = from_environment();
    bw_client *client;
    bwt_error error;
    char *text;
    bw_status status;

    if (other_library_result() != 42) {
        puts("the other library does not work");
        return 1;
    }
    if (bwt_client_new(&where, &client, &error) != BW_OK) {
        puts(error.message);
        return 1;
    }
    status = bw_create_participant(client, "{}", &text);
    puts(text);
    bw_free(text);
    bw_client_free(client);
    return status == BW_OK ? 0 : 1;
}
