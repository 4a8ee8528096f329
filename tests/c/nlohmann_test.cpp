// bw_webrtc.hpp with the real nlohmann::json, in both directions.
#include <nlohmann/json.hpp>

#include "bw_webrtc.hpp"
#include "check.h"

int main()
{
    using nlohmann::json;
    // An nlohmann::json is a document: no dump() is needed.
    const json request = {{"a", {1, 2}}, {"tag", "x\"y"}};
    CHECK(bw::json_length(request, "/a") == 2);
    CHECK(bw::json_get(request, "/tag") == "x\"y");
    CHECK(bw::Object().set("body", request).set("text", "t").dump() ==
          R"({"body":{"a":[1,2],"tag":"x\"y"},"text":"t"})");
    // A string in an nlohmann::json is an argument.
    CHECK(bw::json_quote(json("z")) == "\"z\"");

    // Requests and results become an nlohmann::json by assignment.
    const json built = bw::ParticipantRequest().publish({"AUDIO"}).tag("x");
    CHECK(built["publishPermissions"][0] == "AUDIO" && built["tag"] == "x");
    const bw::Session session(std::string(R"({"id": "s", "tag": null, "new": [1]})"));
    const json from_result = session;
    CHECK(from_result["id"] == "s" && from_result["new"][0] == 1);

    // And an nlohmann::json becomes a result.
    const auto participant = json::parse(R"({"id": "p", "sessions": ["s"]})").get<bw::Participant>();
    CHECK(participant.id == "p" && participant.sessions[0] == "s" && !participant.tag);
    CHECK(from_result.get<bw::Session>().id == "s");
    const bw::Subscriptions everyone = bw::Subscriptions::everyone("s");
    CHECK(json(everyone) == json::parse(R"({"sessionId": "s"})"));

    try {
        bw::connect_bxml(json::array());
        CHECK(!"no exception");
    } catch (const bw::Error &error) {
        CHECK(json::parse(error.document())["error"]["name"] == "BW_E_INVALID_ARGUMENT");
    }
    return sum_up();
}
