//! Fork safety: every process has its own connections, and every caller receives its own response.

use std::collections::{HashMap, HashSet};
use std::process::Command;

use crate::support::process::{Sandbox, compile, run_checks};
use serde_json::{Value, json};

#[test]
fn every_child_process_opens_its_own_connections() {
    let program = compile("hosts/forks.c", false);
    for sandbox in Sandbox::plain_and_tls() {
        // Responses are delayed by 20 to 100 ms and arrive in another order than the requests.
        for (ms, count, after) in
            [(20, Value::Null, 0), (30, json!(200), 60), (50, json!(150), 200)]
        {
            sandbox.fault(&json!({"operation": "createParticipant", "kind": "delay", "ms": ms,
                "count": count, "after": after}));
        }
        run_checks(Command::new(&program).arg(sandbox.config(&json!({})).to_string()));
        let requests = sandbox.requests("createParticipant");
        let mut users: HashMap<u64, HashSet<&str>> = HashMap::new();
        let mut tags = HashSet::new();
        for request in &requests {
            let tag = request["body"]["tag"].as_str().unwrap();
            assert!(tags.insert(tag), "{tag} was sent twice");
            let process = tag.rsplit('-').nth(1).unwrap();
            users.entry(request["connection"].as_u64().unwrap()).or_default().insert(process);
        }
        // The sum of: 80 warm-up calls, 450 of eight children and their parent, 14 and 5 calls, 10 each of a
        // daemon and of the first process of a namespace, 100 of concurrent forks, and those of the threads.
        assert!(requests.len() > 80 + 450 + 14 + 5 + 20 + 100, "{}", requests.len());
        for (connection, who) in &users {
            assert_eq!(who.len(), 1, "connection {connection} was used by {who:?}");
        }
    }
}
