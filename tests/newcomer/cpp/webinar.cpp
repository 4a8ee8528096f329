// A webinar in C++17: a speaker, and listeners that a queue creates at the same time.
// The argument is the number of listeners. BW_CONFIG_FILE names the settings file. Exit status: 75 if
// the service is busy, or 0, or 1.
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "bw_webrtc.hpp"

namespace {

// The destructor deletes everyone and the session.
class Webinar {
public:
    Webinar(const bw::Client &client, const std::string &name)
        : client_(client), session_(client.create_session(bw::SessionRequest().tag(name)))
    {
    }
    Webinar(const Webinar &) = delete;
    ~Webinar()
    {
        try {
            for (const std::string &id : ids_) {
                client_.delete_participant(id);
            }
            client_.delete_session(session_.id);
        } catch (const bw::Error &error) {
            std::cout << "cleanup: " << error.what() << "\n";
        }
    }

    void add_speaker()
    {
        const bw::CreatedParticipant speaker(client_.create_participant(
            bw::ParticipantRequest().publish({"AUDIO", "VIDEO"}).tag("speaker")));
        ids_.push_back(speaker.participant.id);
        client_.add_participant_to_session(session_.id, speaker.participant.id);  // hears nobody
        std::cout << speaker.participant.tag.value_or("?") << " has a token of "
                  << speaker.token.size() << " characters\n";
    }

    // Creates listeners in a queue whose backlog is small, so that it is full most of the time.
    void invite(int count)
    {
        bw::Queue queue(client_, bw::Object().set("workers", 4).set("backlog", 8));
        int completed = 0;
        for (int number = 0; number < count; number++) {
            const auto request = bw::ParticipantRequest().publish({}).tag("listener");
            const auto call = bw::Object().set("operation", "createParticipant").set("body", request);
            while (!submit(queue, call)) {
                completed += fetch(queue);
            }
        }
        while (completed < count) {
            completed += fetch(queue);
        }
        std::cout << completed << " calls completed\n";
    }

    void admit()
    {
        const auto speaker_only = bw::Subscriptions::to({ids_.front()});
        for (auto id = ids_.begin() + 1; id != ids_.end(); ++id) {
            try {
                client_.add_participant_to_session(session_.id, *id, speaker_only);
            } catch (const bw::Error &error) {
                if (error.status() != BW_E_CONFLICT) {
                    throw;
                }
                std::cout << "full, HTTP " << error.http_status() << "\n";
                break;
            }
        }
        const auto people = bw::list<bw::Participant>(client_.list_session_participants(session_.id));
        std::cout << people.size() << " participants, "
                  << std::count_if(people.begin(), people.end(), [](const bw::Participant &one) {
                         return one.publish_permissions.empty() &&
                                one.subscriptions.participants.size() == 1;
                     })
                  << " listeners\n";
    }

    void handle_webhook(std::string_view body) const
    try {
        const bw::Event event(bw::parse_event(body));
        const auto id = event.participant_id.value_or("");
        const bool is_ours = std::find(ids_.begin(), ids_.end(), id) != ids_.end();
        std::cout << event.name << (is_ours ? ", ours" : "") << (event.is_known ? "\n" : ", not known\n");
    } catch (const bw::Error &error) {
        std::cout << "not a webhook: " << error.what() << "\n";
    }
    const std::string &speaker() const { return ids_.front(); }

private:
    static bool submit(bw::Queue &queue, const bw::Object &call)
    try {
        queue.submit(call);
        return true;
    } catch (const bw::Error &error) {
        if (error.status() != BW_E_QUEUE_FULL) {
            throw;
        }
        return false;
    }
    // Waits for completions. Returns how many there were.
    int fetch(bw::Queue &queue)
    {
        pollfd entry = {queue.fd(), POLLIN, 0};
        poll(&entry, 1, 10000);
        int count = 0;
        for (bw::Completion done; queue.next(done); count++) {
            ids_.push_back(bw::CreatedParticipant(done.answer()).participant.id);
        }
        return count;
    }

    const bw::Client &client_;
    bw::Session session_;
    std::vector<std::string> ids_;
};

}  // namespace

int main(int argc, char **argv)
try {
    bw::Client client = bw::Client::from_environment(bw::Config().timeout_ms(8000));
    client.set_log(BW_LOG_WARN, [](int, const char *line) { std::clog << line << "\n"; });
    Webinar webinar(client, "all \"hands\"");
    webinar.add_speaker();
    webinar.invite(argc > 1 ? std::atoi(argv[1]) : 10);
    webinar.admit();
    webinar.handle_webhook(bw::Object()
                               .set("event", "onConnect")
                               .set("timestamp", 1764244800000)
                               .set("participantId", webinar.speaker())
                               .dump());
    webinar.handle_webhook(R"({"event": "somethingNew"})");
    webinar.handle_webhook(R"({"event": "onLeave"})");
} catch (const bw::Error &error) {
    std::cout << error.status_name() << ": " << error.what() << "\n";
    if (const auto &delay = error.retry_after()) {
        std::cout << "try again in " << delay->count() / 1000 << " s\n";
    }
    return error.status() == BW_E_RATE_LIMITED ? 75 : 1;
}
