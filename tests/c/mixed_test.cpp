// A program whose parts are compiled for different standards. run.sh compiles this file twice: with
// MIXED_PART, as C++11, the function, and as C++17, the program.
#include <cstring>
#include <new>

#include "bw_webrtc.hpp"

std::string tag_of(const bw::Participant &participant);

#ifdef MIXED_PART
std::string tag_of(const bw::Participant &participant)
{
    const bw::optional<std::string> tag = participant.tag;
    return (tag ? *tag : std::string("none")) + " " + std::to_string(participant.sessions.size()) +
           " " + std::to_string(sizeof(bw::Participant));
}

#else
#include "check.h"

int main()
{
    const std::string size = " " + std::to_string(sizeof(bw::Participant));
    // Memory that was used before: a missing value must be initialized too.
    alignas(bw::Participant) unsigned char memory[sizeof(bw::Participant)];
    std::memset(memory, 0x5a, sizeof memory);
    bw::Participant *none = new (memory) bw::Participant(std::string("{\"id\":\"p\"}"));
    CHECK(tag_of(*none) == "none 0" + size);
    none->~Participant();
    CHECK(tag_of(bw::Participant(std::string("{\"tag\":\"t\",\"sessions\":[\"s\"]}"))) == "t 1" + size);
    return sum_up();
}
#endif
