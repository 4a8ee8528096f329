//! The queue: every accepted call completes exactly once, and no created resource is lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::support::abi::Client;
use crate::support::process::{Sandbox, compile, run_checks};
use crate::support::queue::Queue;
use crate::support::test_server::{TestServer, read_request, response};
use crate::support::wait_until;
use bw_webrtc::ffi::*;
use serde_json::{Value, json};

fn client(sandbox: &Sandbox, more: &Value) -> Client {
    Client::new(&sandbox.config(more)).unwrap()
}

fn create(tag: &str) -> Value {
    json!({"operation": "createParticipant", "body": {"tag": tag}})
}

/// Delays the response of every call by this time.
fn slow(sandbox: &Sandbox, ms: u64) {
    sandbox.fault(&json!({"operation": "*", "kind": "delay", "ms": ms, "count": null}));
}

#[test]
fn completions_carry_the_id_and_user_data_of_their_calls() {
    for sandbox in Sandbox::plain_and_tls() {
        let client = client(&sandbox, &json!({}));
        let queue = Queue::new(&client, &json!({"workers": 4})).unwrap();
        assert_eq!(queue.next(0).unwrap_err(), BW_E_EMPTY);
        let mut waiting = HashSet::new();
        for n in 1..=50 {
            let id = queue.submit(&create(&format!("tag {n}")), n).unwrap();
            assert!(waiting.insert((id, n)));
        }
        for _ in 0..50 {
            let done = queue.next(-1).unwrap();
            assert_eq!(done.status, BW_OK);
            assert_eq!(done.document["participant"]["tag"], format!("tag {}", done.user_data));
            assert!(waiting.remove(&(done.id, done.user_data)));
        }
        assert_eq!(queue.next(10).unwrap_err(), BW_E_EMPTY);
        assert_eq!(queue.cancel(1), BW_E_NO_VALUE);
        let lost = json!({"operation": "getParticipant",
            "participantId": "00000000-0000-4000-8000-000000000000"});
        queue.submit(&lost, 0).unwrap();
        let done = queue.next(-1).unwrap();
        assert_eq!(done.status, BW_E_NOT_FOUND);
        assert_eq!(done.document["error"]["operation"], "getParticipant");
    }
}

#[test]
fn descriptor_is_readable_exactly_while_completions_wait() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox, &json!({}));
    let queue = Queue::new(&client, &json!({})).unwrap();
    let fd = bw_queue_fd(queue.0);
    assert!(!queue.is_readable());
    for _ in 0..3 {
        queue.submit(&create("one"), 0).unwrap();
        queue.submit(&create("two"), 0).unwrap();
        wait_until("a completion", || queue.is_readable());
        assert!(queue.is_readable(), "polling fetched the completion");
        queue.next(-1).unwrap();
        queue.next(-1).unwrap();
        assert!(!queue.is_readable());
    }
    assert_eq!(bw_queue_fd(queue.0), fd);
    queue.submit(&create("three"), 0).unwrap();
    queue.close();
    assert!(queue.is_readable());
    assert_eq!(queue.drain().len(), 1);
    assert!(!queue.is_readable());
    assert_eq!(bw_queue_fd(std::ptr::null_mut()), -1);
}

#[test]
fn invalid_calls_are_rejected_at_submission() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox, &json!({}));
    for (options, part) in [
        (json!({"worker": 2}), "did you mean workers?"),
        (json!({"workers": 0}), "options.workers: must be"),
        (json!([]), "options: must be a JSON object"),
    ] {
        let error = Queue::new(&client, &options).err().unwrap();
        assert!(error["error"]["message"].as_str().unwrap().contains(part), "{error}");
    }
    let queue = Queue::new(&client, &json!({})).unwrap();
    for (call, part) in [
        (json!({}), "call.operation"),
        (create(&"x".repeat(51)), "call.body.tag"),
        (json!({"operation": "getSession", "sessionId": ".."}), "sessionId"),
        (json!({"operation": "getSession"}), "sessionId"),
        (json!({"operation": "createSession", "timeoutMs": -1}), "call.timeoutMs"),
    ] {
        let error = queue.submit(&call, 0).unwrap_err()["error"].take();
        assert_eq!(error["status"], BW_E_INVALID_ARGUMENT, "{error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{part}: {error}");
    }
    assert_eq!(queue.next(0).unwrap_err(), BW_E_EMPTY);
    assert!(sandbox.requests("createParticipant").is_empty());
    // Handles of another type, freed handles and NULL.
    let other = Queue(client.0.cast());
    assert_eq!(other.next(0).unwrap_err(), BW_E_INVALID_HANDLE);
    assert_eq!(other.submit(&create("x"), 0).unwrap_err()["error"]["name"], "BW_E_INVALID_HANDLE");
    std::mem::forget(other);
    let (handle, null): (_, *mut u8) = (queue.0, std::ptr::null_mut());
    drop(queue);
    for dead in [handle, std::ptr::null_mut()] {
        assert_eq!(bw_queue_close(dead), BW_E_INVALID_HANDLE);
        assert_eq!(bw_queue_cancel(dead, 1), BW_E_INVALID_HANDLE);
        assert_eq!(bw_queue_fd(dead), -1);
        bw_queue_free(dead);
        // SAFETY: NULL is allowed everywhere.
        let status =
            unsafe { bw_queue_next(dead, 0, null.cast(), null.cast(), null.cast(), null.cast()) };
        assert_eq!(status, BW_E_INVALID_ARGUMENT);
        // SAFETY: as above.
        let status = unsafe {
            bw_queue_submit(dead, std::ptr::null(), null.cast(), null.cast(), null.cast())
        };
        assert_eq!(status, BW_E_INVALID_HANDLE);
    }
    // SAFETY: as above.
    let status = unsafe { bw_queue_new(client.0, std::ptr::null(), null.cast(), null.cast()) };
    assert_eq!(status, BW_E_INVALID_ARGUMENT);
}

#[test]
fn full_backlog_rejects_calls() {
    let sandbox = Sandbox::start(&[]);
    slow(&sandbox, 300);
    let client = client(&sandbox, &json!({}));
    let queue = Queue::new(&client, &json!({"workers": 1, "backlog": 3})).unwrap();
    for n in 1..=3 {
        queue.submit(&create("x"), n).unwrap();
    }
    let error = queue.submit(&create("x"), 4).unwrap_err()["error"].take();
    assert_eq!(
        (&error["name"], &error["outcome"]),
        (&json!("BW_E_QUEUE_FULL"), &json!("not_sent"))
    );
    queue.next(-1).unwrap();
    queue.submit(&create("x"), 5).unwrap();
    queue.close();
    let mut back: Vec<usize> = queue.drain().iter().map(|done| done.user_data).collect();
    back.sort_unstable();
    assert_eq!(back, [2, 3, 5]);
    assert_eq!(queue.submit(&create("x"), 6).unwrap_err()["error"]["name"], "BW_E_CLOSED");
}

#[test]
fn cancelled_waiting_call_is_not_sent_and_running_call_is_reported_late() {
    let sandbox = Sandbox::start(&[]);
    slow(&sandbox, 500);
    let client = client(&sandbox, &json!({}));
    let queue = Queue::new(&client, &json!({"workers": 1})).unwrap();
    let first = queue.submit(&create("under way"), 1).unwrap();
    let second = queue.submit(&create("waits"), 2).unwrap();
    wait_until("the first call", || sandbox.requests("createParticipant").len() == 1);
    let began = Instant::now();
    for (id, user_data, outcome) in [(second, 2, "not_sent"), (first, 1, "unknown")] {
        assert_eq!(queue.cancel(id), BW_OK);
        let done = queue.next(0).unwrap();
        assert_eq!((done.id, done.user_data, done.status), (id, user_data, BW_E_CANCELLED));
        assert_eq!(done.document["error"]["outcome"], outcome, "{}", done.document);
        assert_eq!(queue.cancel(id), BW_E_NO_VALUE);
    }
    assert!(began.elapsed() < Duration::from_millis(400), "cancelling waited for the service");
    // The late response reports a participant that exists.
    wait_until("the late response", || client.stats()["lateAnswers"] == 1);
    let stats = client.stats();
    let exists = sandbox.state()["participants"][0]["id"].clone();
    assert_eq!(stats["lateParticipants"], json!([exists]));
    assert_eq!(stats["operations"]["createParticipant"]["calls"], 2);
    assert_eq!(stats["attempts"], 1);
    let late = json!({"operation": "createParticipant", "id": exists, "tag": "under way",
        "userData": 1});
    assert_eq!(client.take_late(), json!({"late": [late], "dropped": 0}));
    assert_eq!(client.take_late(), json!({"late": [], "dropped": 0}));
    assert_eq!(client.stats()["lateParticipants"], json!([]));
    assert_eq!(queue.next(0).unwrap_err(), BW_E_EMPTY);
    assert_eq!(sandbox.requests("createParticipant").len(), 1, "the waiting call was sent");
    // The queue does not wait for a call that creates no resource.
    let read = json!({"operation": "getParticipant", "participantId": exists});
    let id = queue.submit(&read, 3).unwrap();
    wait_until("the read", || sandbox.requests("getParticipant").len() == 1);
    queue.cancel(id);
    assert_eq!(queue.next(0).unwrap().document["error"]["outcome"], "unknown");
    wait_until("the end of the read", || client.stats()["inFlight"] == 0);
    assert_eq!(client.stats()["statuses"], json!({"BW_E_CANCELLED": 3}));
}

#[test]
fn late_response_is_counted_once() {
    // Responds to the first request after its cancellation, and to the second after its end.
    let cancelled = Arc::new(AtomicI32::new(0));
    let shared = cancelled.clone();
    let server = TestServer::start(
        None,
        Arc::new(move |connection, state| {
            while read_request(connection, state)? {
                let received = || state.requests.lock().unwrap().len();
                match received() {
                    1 => wait_until("the cancellation", || shared.load(Relaxed) == 1),
                    _ => wait_until("the third request", || received() == 3),
                }
                let unusable = r#"{"participant":{"id":"x"},"token":{}}"#;
                connection.write_all(response("200 OK", "", unusable).as_bytes())?;
            }
            Ok(())
        }),
    );
    let client = server.client(json!({}));
    let queue = Queue::new(&client, &json!({"workers": 1})).unwrap();
    let read = json!({"operation": "getSession", "sessionId": "s"});
    for (n, call) in [create("a"), read.clone()].iter().enumerate() {
        let id = queue.submit(call, n).unwrap();
        wait_until("the request", || server.requests().len() == n + 1);
        assert_eq!(queue.cancel(id), BW_OK);
        assert_eq!(queue.next(-1).unwrap().status, BW_E_CANCELLED);
        cancelled.store(1, Relaxed);
    }
    // The only worker has finished with the calls before it executes this one.
    queue.submit(&read, 2).unwrap();
    queue.next(-1).unwrap();
    let stats = client.stats();
    assert_eq!((&stats["lateAnswers"], &stats["lateParticipants"]), (&json!(1), &json!(["x"])));
}

#[test]
fn unfetched_creations_are_reported_late_when_the_queue_is_freed() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox, &json!({}));
    let queue = Queue::new(&client, &json!({"workers": 2})).unwrap();
    queue.submit(&create("alice"), 7).unwrap();
    queue.submit(&json!({"operation": "createSession", "body": {"tag": "room"}}), 8).unwrap();
    queue.submit(&json!({"operation": "createSession"}), usize::MAX).unwrap();
    let unknown = json!({"operation": "getSession", "sessionId": "x"});
    queue.submit(&unknown, 10).unwrap();
    wait_until("the completions", || client.stats()["queue"]["done"] == 4);
    assert_eq!(client.take_late()["late"], json!([]), "they can still be fetched");
    drop(queue);
    let late = client.take_late();
    assert_eq!(late["dropped"], 0);
    let mut found: Vec<(String, Value, u64)> = late["late"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let operation = it["operation"].as_str().unwrap().to_owned();
            (operation, it["tag"].clone(), it["userData"].as_u64().unwrap())
        })
        .collect();
    found.sort_by_key(|(_, _, user_data)| *user_data);
    assert_eq!(
        found,
        [
            ("createParticipant".to_owned(), json!("alice"), 7),
            ("createSession".to_owned(), json!("room"), 8),
            ("createSession".to_owned(), Value::Null, u64::MAX),
        ]
    );
    let state = sandbox.state();
    for it in late["late"].as_array().unwrap() {
        let list =
            &state[if it["operation"] == "createSession" { "sessions" } else { "participants" }];
        assert!(list.as_array().unwrap().iter().any(|known| known["id"] == it["id"]), "{it}");
    }
    let none = json!({"waiting": 0, "running": 0, "done": 0, "cancelled": 0});
    assert_eq!(client.stats()["queue"], none);
}

#[test]
fn session_without_a_recipient_is_reported_late() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox, &json!({}));
    for status in [
        // SAFETY: C strings, and NULL is allowed for `out`.
        unsafe { bw_create_session(client.0, c"{\"tag\":\"a\"}".as_ptr(), std::ptr::null_mut()) },
        // SAFETY: as above.
        unsafe {
            let call = c"{\"operation\":\"createSession\",\"body\":{\"tag\":\"b\"}}";
            bw_call(client.0, call.as_ptr(), std::ptr::null_mut())
        },
    ] {
        assert_eq!(status, BW_OK);
    }
    let late = client.take_late();
    let tags: Vec<&str> =
        late["late"].as_array().unwrap().iter().map(|it| it["tag"].as_str().unwrap()).collect();
    assert_eq!(tags, ["a", "b"]);
    // SAFETY: NULL is allowed.
    let status = unsafe { bw_client_take_late(client.0, std::ptr::null_mut()) };
    assert_eq!(status, BW_E_INVALID_ARGUMENT);
    let mut out = std::ptr::null_mut();
    // SAFETY: a valid output parameter.
    let status = unsafe { bw_client_take_late(std::ptr::null_mut(), &raw mut out) };
    assert_eq!(status, BW_E_INVALID_HANDLE);
    crate::support::abi::document(status, out);
}

#[test]
fn stats_count_what_callers_receive() {
    let sandbox = Sandbox::start(&[]);
    slow(&sandbox, 400);
    let client = client(&sandbox, &json!({}));
    let queue = Queue::new(&client, &json!({"workers": 2})).unwrap();
    let mut short = create("short");
    short["timeoutMs"] = json!(50);
    let ids: Vec<u64> = (0..40).map(|n| queue.submit(&create("x"), n).unwrap()).collect();
    wait_until("two calls", || sandbox.requests("createParticipant").len() == 2);
    let depth = json!({"waiting": 38, "running": 2, "done": 0, "cancelled": 0});
    assert_eq!(client.stats()["queue"], depth);
    queue.submit(&short, 40).unwrap();
    assert_eq!(queue.next(-1).unwrap().status, BW_E_TIMEOUT);
    for id in ids {
        assert_eq!(queue.cancel(id), BW_OK);
    }
    let stats = client.stats();
    let received = json!({"BW_E_CANCELLED": 40, "BW_E_TIMEOUT": 1});
    assert_eq!((&stats["statuses"], &stats["calls"]), (&received, &json!(41)));
    assert_eq!(stats["queue"], json!({"waiting": 0, "running": 0, "done": 40, "cancelled": 40}));
    // The service executes two of them, but no caller receives the results.
    wait_until("the late responses", || client.stats()["lateAnswers"] == 2);
    let stats = client.stats();
    assert_eq!((&stats["statuses"], &stats["attempts"]), (&received, &json!(2)));
    assert_eq!(stats["operations"]["createParticipant"]["statuses"], received);
    assert_eq!(queue.drain_now(), 40);
    assert_eq!(client.stats()["queue"]["done"], 0);
    // A call is counted once, whether it was submitted to a queue or not.
    sandbox.control("DELETE", "/_sandbox/faults", "");
    queue.submit(&create("y"), 1).unwrap();
    assert_eq!(queue.next(-1).unwrap().status, BW_OK);
    client.create("{}").unwrap();
    assert_eq!(client.stats()["statuses"]["BW_OK"], 2);
}

#[test]
fn timeout_of_a_call_starts_at_its_submission() {
    let sandbox = Sandbox::start(&[]);
    slow(&sandbox, 1500);
    let client = client(&sandbox, &json!({}));
    let queue = Queue::new(&client, &json!({"workers": 1})).unwrap();
    queue.submit(&create("first"), 1).unwrap();
    let mut second = create("second");
    second["timeoutMs"] = json!(300);
    queue.submit(&second, 2).unwrap();
    let began = Instant::now();
    let done = queue.next(-1).unwrap();
    assert_eq!((done.user_data, done.status), (2, BW_E_TIMEOUT), "{}", done.document);
    assert_eq!(done.document["error"]["outcome"], "not_sent");
    assert!(began.elapsed() < Duration::from_millis(1200), "it waited for a worker");
    let done = queue.next(-1).unwrap();
    assert_eq!((done.user_data, done.status), (1, BW_OK));
    assert_eq!(sandbox.requests("createParticipant").len(), 1);
}

#[test]
fn closing_and_freeing_complete_every_call_at_once() {
    let sandbox = Sandbox::start(&[]);
    slow(&sandbox, 3000);
    let client = client(&sandbox, &json!({}));
    let queue = Queue::new(&client, &json!({"workers": 2})).unwrap();
    for n in 1..=5 {
        queue.submit(&create("x"), n).unwrap();
    }
    wait_until("two calls", || sandbox.requests("createParticipant").len() == 2);
    let began = Instant::now();
    queue.close();
    let done = queue.drain();
    let back: HashSet<usize> = done.iter().map(|done| done.user_data).collect();
    assert_eq!(back, (1..=5).collect());
    let unknown = done.iter().filter(|done| done.document["error"]["outcome"] == "unknown").count();
    assert_eq!(unknown, 2);
    assert_eq!(queue.next(-1).unwrap_err(), BW_E_CLOSED);

    // Frees the queue while a thread waits and calls are running.
    let queue = Arc::new(Queue::new(&client, &json!({"workers": 2})).unwrap());
    queue.submit(&create("x"), 1).unwrap();
    wait_until("the call", || sandbox.requests("createParticipant").len() == 3);
    let waiter = {
        let queue = queue.clone();
        std::thread::spawn(move || queue.next(-1).unwrap_err())
    };
    std::thread::sleep(Duration::from_millis(100));
    bw_queue_free(queue.0);
    assert_eq!(waiter.join().unwrap(), BW_E_CLOSED);
    assert_eq!(queue.next(0).unwrap_err(), BW_E_INVALID_HANDLE);
    assert!(began.elapsed() < Duration::from_millis(2500), "freeing waited for the service");
    // All three late responses are reported.
    wait_until("the late responses", || client.stats()["lateAnswers"] == 3);
    assert_eq!(client.stats()["lateParticipants"].as_array().unwrap().len(), 3);
}

#[test]
fn freeing_the_client_cancels_queued_calls() {
    let sandbox = Sandbox::start(&[]);
    slow(&sandbox, 5000);
    let client = client(&sandbox, &json!({}));
    let queue = Queue::new(&client, &json!({"workers": 2})).unwrap();
    for n in 1..=4 {
        queue.submit(&create("x"), n).unwrap();
    }
    wait_until("two calls", || sandbox.requests("createParticipant").len() == 2);
    bw_client_free(client.0);
    let mut back = HashSet::new();
    for _ in 0..4 {
        let done = queue.next(-1).unwrap();
        assert_eq!(done.status, BW_E_CANCELLED, "{}", done.document);
        back.insert(done.user_data);
    }
    assert_eq!(back, (1..=4).collect());
    assert_eq!(queue.submit(&create("x"), 5).unwrap_err()["error"]["name"], "BW_E_CLOSED");
}

#[test]
fn every_call_completes_once_with_many_threads() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox, &json!({}));
    let queue = Arc::new(Queue::new(&client, &json!({"workers": 8, "backlog": 256})).unwrap());
    let accepted: Vec<_> = (0..4)
        .map(|thread| {
            let queue = queue.clone();
            std::thread::spawn(move || {
                let mut ids = HashSet::new();
                for n in 0..500 {
                    match queue.submit(&create("x"), thread * 1000 + n) {
                        Ok(id) => assert!(ids.insert(id)),
                        Err(error) => assert_eq!(error["error"]["name"], "BW_E_QUEUE_FULL"),
                    }
                    if n % 7 == 0 {
                        let _ = queue.cancel(ids.iter().next().copied().unwrap_or(0));
                    }
                }
                ids
            })
        })
        .collect();
    let fetched: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            std::thread::spawn(move || {
                queue.drain().into_iter().map(|done| done.id).collect::<Vec<u64>>()
            })
        })
        .collect();
    let accepted: HashSet<u64> = accepted.into_iter().flat_map(|t| t.join().unwrap()).collect();
    queue.close();
    let fetched: Vec<u64> = fetched.into_iter().flat_map(|t| t.join().unwrap()).collect();
    assert_eq!(fetched.len(), accepted.len(), "a call completed twice, or never");
    assert_eq!(fetched.into_iter().collect::<HashSet<_>>(), accepted);
}

/// A log callback may fork the thread that calls it. The calls of a queue belong to the parent.
#[test]
fn worker_that_forks_executes_no_further_calls_in_the_child() {
    static CHILD: AtomicI32 = AtomicI32::new(0);
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox, &json!({}));
    client.on_line(|_, line| {
        let is_attempt = line.ends_with(" attempt=1");
        if is_attempt && CHILD.compare_exchange(0, -1, Relaxed, Relaxed).is_ok() {
            // SAFETY: the child continues with this call only, and then ends.
            let child = unsafe { libc::fork() };
            if child > 0 {
                CHILD.store(child, Relaxed);
            }
        }
    });
    let queue = Queue::new(&client, &json!({"workers": 1})).unwrap();
    for n in 1..=3 {
        queue.submit(&create(&format!("tag {n}")), n).unwrap();
    }
    for n in 1..=3 {
        assert_eq!(queue.next(-1).unwrap().user_data, n);
    }
    let (child, mut status) = (CHILD.load(Relaxed), -1);
    let limit = Instant::now() + Duration::from_secs(20);
    // SAFETY: the status is writable.
    while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
        if Instant::now() > limit {
            // SAFETY: takes no pointer, and the child was not waited for.
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(status, 0, "the child waited for further calls");
    let requests = sandbox.requests("createParticipant");
    for n in 2..=3 {
        let tag = format!("tag {n}");
        assert_eq!(requests.iter().filter(|request| request["body"]["tag"] == *tag).count(), 1);
    }
}

#[test]
fn queue_works_with_epoll_forks_and_closed_descriptors() {
    let program = compile("hosts/queue.c", false);
    for sandbox in Sandbox::plain_and_tls() {
        slow(&sandbox, 30);
        run_checks(
            std::process::Command::new(&program).arg(sandbox.config(&json!({})).to_string()),
        );
    }
}
