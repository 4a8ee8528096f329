//! BRTC Endpoints: which URL each operation is sent to, what is sent, and what the responses mean.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::abi;
use crate::support::process::Sandbox;
use crate::support::queue::Queue;
use crate::support::test_server::{Behavior, TestServer, read_request_text, response};
use bw_webrtc::api::{
    CREATE_ENDPOINT, CREATE_PARTICIPANT, CREATE_SESSION, DELETE_ENDPOINT, GET_ENDPOINT, Ids,
    LIST_ENDPOINTS, OPERATIONS, Operation, Service, UPDATE_ENDPOINT_BXML,
};
use bw_webrtc::client::{Client, Config, ENDPOINTS_URL};
use bw_webrtc::error::{Error, Outcome, Status};
use bw_webrtc::interop::token_claims;
use serde_json::{Map, Value, json};

const REQUEST: &str = r#"{"type":"WEBRTC","direction":"BIDIRECTIONAL"}"#;
const CREATED: &str =
    r#"{"links":[],"data":{"endpointId":"e-1","token":"t","devices":[]},"errors":[]}"#;

/// A server whose n-th response (from 0) is a function of the request. None closes the connection.
fn server(respond: impl Fn(usize, &str) -> Option<String> + Send + Sync + 'static) -> TestServer {
    let count = AtomicUsize::new(0);
    let behaviour: Behavior = Arc::new(move |connection, state| {
        while let Some(request) = read_request_text(connection, state)? {
            match respond(count.fetch_add(1, Ordering::SeqCst), &request) {
                Some(response) => connection.write_all(response.as_bytes())?,
                None => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        Ok(())
    });
    TestServer::start(None, behaviour)
}

/// A server that sends the same response to all requests.
fn same(status: &'static str, headers: &'static str, body: &str) -> TestServer {
    let response = response(status, headers, body);
    server(move |_, _| Some(response.clone()))
}

fn url(server: &TestServer, path: &str) -> String {
    format!("http://{}{path}", server.address)
}

fn client_with(urls: Value) -> Client {
    let mut config = json!({"accountId": "99/1", "username": "u", "password": "a password",
        "retryBaseMs": 1, "retryMaxMs": 2, "timeoutMs": 20_000});
    config.as_object_mut().unwrap().extend(urls.as_object().unwrap().clone());
    Client::new(Config::from_json(&config.to_string()).unwrap()).ok().unwrap()
}

fn client(server: &TestServer) -> Client {
    client_with(json!({"endpointsUrl": url(server, "/v2/")}))
}

fn endpoint(id: &str) -> Ids<'_> {
    Ids { endpoint: Some(id), ..Ids::default() }
}

fn failed(
    client: &Client,
    operation: &'static Operation,
    ids: &Ids<'_>,
    request: Option<&str>,
) -> (Error, Option<Outcome>, u32) {
    let error = client.call(operation, ids, request).unwrap_err();
    assert_eq!(error.operation, Some(operation.name));
    let (outcome, attempts) = (error.outcome, error.attempts);
    (error, outcome, attempts)
}

fn create(client: &Client) -> Result<String, Error> {
    client.call(&CREATE_ENDPOINT, &Ids::default(), Some(REQUEST))
}

#[test]
fn requests_are_sent_as_documented_and_envelopes_returned_unchanged() {
    let list = r#"{"links":[{"href":"http://elsewhere/","rel":"next","method":"GET"}],"data":[1],"errors":[],"page":{"pageSize":1}}"#;
    let get = r#"{"data": {"endpointId":"e-1"}, "new":null}"#;
    let query = r#"{"afterCursor":"a+b=","limit":5}"#;
    let bxml = "<Response><StartRecording /></Response>";
    for (operation, ids, request, (status, body), line, content_type, document) in [
        (
            &CREATE_ENDPOINT,
            Ids::default(),
            Some(REQUEST),
            ("201 Created", CREATED),
            "POST /v2/accounts/99%2F1/endpoints HTTP/1.1",
            Some("application/json"),
            CREATED,
        ),
        (
            &LIST_ENDPOINTS,
            Ids::default(),
            Some(query),
            ("200 OK", list),
            "GET /v2/accounts/99%2F1/endpoints?afterCursor=a%2Bb%3D&limit=5 HTTP/1.1",
            None,
            list,
        ),
        (
            &LIST_ENDPOINTS,
            Ids::default(),
            None,
            ("200 OK", list),
            "GET /v2/accounts/99%2F1/endpoints HTTP/1.1",
            None,
            list,
        ),
        (
            &GET_ENDPOINT,
            endpoint("e-1"),
            None,
            ("200 OK", get),
            "GET /v2/accounts/99%2F1/endpoints/e-1 HTTP/1.1",
            None,
            get,
        ),
        (
            &DELETE_ENDPOINT,
            endpoint("e 1"),
            None,
            ("200 OK", ""),
            "DELETE /v2/accounts/99%2F1/endpoints/e%201 HTTP/1.1",
            None,
            "null",
        ),
        (
            &UPDATE_ENDPOINT_BXML,
            endpoint("e-1"),
            Some(bxml),
            ("200 OK", ""),
            "PUT /v2/accounts/99%2F1/endpoints/e-1/bxml HTTP/1.1",
            Some("application/xml"),
            "null",
        ),
    ] {
        let server = same(status, "", body);
        let client = client(&server);
        assert_eq!(client.call(operation, &ids, request).unwrap(), document);
        // The same as a call document.
        let mut call = json!({"operation": operation.name});
        if let Some(id) = ids.endpoint {
            call["endpointId"] = json!(id);
        }
        if let Some(request) = request {
            let value =
                if request == bxml { json!(bxml) } else { serde_json::from_str(request).unwrap() };
            call[operation.request.key().unwrap()] = value;
        }
        assert_eq!(client.call_document(&call.to_string()).unwrap(), document);
        let requests = server.state.requests.lock().unwrap().clone();
        assert_eq!(requests.len(), 2);
        for sent in &requests {
            let (head, body) = sent.split_once("\r\n\r\n").unwrap();
            assert_eq!(head.lines().next().unwrap(), line);
            let types = head.lines().filter_map(|line| line.strip_prefix("content-type: "));
            assert_eq!(types.collect::<Vec<_>>(), content_type.into_iter().collect::<Vec<_>>());
            match operation.request.is_query() {
                true => assert_eq!(body, ""),
                false if request == Some(REQUEST) => {
                    let [body, request] =
                        [body, REQUEST].map(|text| serde_json::from_str::<Value>(text).unwrap());
                    assert_eq!(body, request);
                }
                false => assert_eq!(body, request.unwrap_or("")),
            }
        }
    }
}

#[test]
fn each_service_has_its_own_url_and_connections() {
    let v1 = same("200 OK", "", r#"{"id":"s-1"}"#);
    let v2 = same("201 Created", "", CREATED);
    let client = client_with(json!({
        "baseUrl": url(&v1, "/v1"), "endpointsUrl": url(&v2, "/v2"),
    }));
    for _ in 0..3 {
        client.call(&CREATE_SESSION, &Ids::default(), None).unwrap();
    }
    assert_eq!(v2.state.connections.load(Ordering::SeqCst), 0);
    for _ in 0..3 {
        create(&client).unwrap();
    }
    for (server, path) in [(&v1, "POST /v1/accounts/"), (&v2, "POST /v2/accounts/")] {
        assert_eq!(server.state.connections.load(Ordering::SeqCst), 1);
        let requests = server.state.requests.lock().unwrap();
        assert!(requests.len() == 3 && requests.iter().all(|request| request.starts_with(path)));
    }
}

#[test]
fn missing_url_fails_the_calls_of_its_service_only() {
    let server = server(|_, request| {
        let body = if request.contains("/endpoints") { CREATED } else { r#"{"id":"s-1"}"# };
        Some(response("200 OK", "", body))
    });
    let session = |client: &Client| client.call(&CREATE_SESSION, &Ids::default(), None);

    let v1 = client_with(json!({"baseUrl": url(&server, "/v1")}));
    let prepared = v1.prepare(&json!({"operation": "getEndpoint", "endpointId": "e"}).to_string());
    for error in [create(&v1).unwrap_err(), prepared.err().unwrap()] {
        assert_eq!((error.status, error.outcome), (Status::Config, Some(Outcome::NotSent)));
        assert_eq!(error.attempts, 0);
        let expected = "config.endpointsUrl: is missing; baseUrl is not the service's own";
        assert!(error.message.starts_with(expected), "{}", error.message);
    }
    session(&v1).unwrap();

    let v2 = client_with(json!({"endpointsUrl": url(&server, "/v2")}));
    let error = session(&v2).unwrap_err();
    assert_eq!((error.status, error.outcome), (Status::Config, Some(Outcome::NotSent)));
    let expected = "config.baseUrl: is missing; endpointsUrl is not the service's own";
    assert!(error.message.starts_with(expected), "{}", error.message);
    create(&v2).unwrap();
    assert_eq!(server.state.requests.lock().unwrap().len(), 2);
}

#[test]
fn invalid_requests_are_not_sent() {
    let server = same("200 OK", "", "{}");
    let client = client(&server);
    for (operation, ids, request, problem) in [
        (&CREATE_ENDPOINT, Ids::default(), None, "request.type: is missing"),
        (&CREATE_ENDPOINT, Ids::default(), Some("[]"), "request: must be a JSON object"),
        (&LIST_ENDPOINTS, Ids::default(), Some(r#"{"limit":0}"#), "query.limit: must be"),
        (&GET_ENDPOINT, Ids::default(), None, "endpointId: is missing"),
        (&GET_ENDPOINT, endpoint(""), None, "endpointId: is empty"),
        (&DELETE_ENDPOINT, endpoint(".."), None, "endpointId: \"..\" is not an id"),
        (&UPDATE_ENDPOINT_BXML, endpoint("e"), None, "bxml: is missing"),
        (&UPDATE_ENDPOINT_BXML, endpoint("e"), Some("<a>"), "bxml: is not well-formed XML"),
        (&UPDATE_ENDPOINT_BXML, endpoint("e"), Some("<!DOCTYPE a><a/>"), "bxml: must not contain"),
        (
            &UPDATE_ENDPOINT_BXML,
            endpoint("e"),
            Some(&*format!("<a>{}</a>", "x".repeat(64 * 1024))),
            "bxml: has 65543 bytes; at most 65536 are allowed",
        ),
    ] {
        let (error, outcome, attempts) = failed(&client, operation, &ids, request);
        assert_eq!((error.status, outcome), (Status::InvalidArgument, Some(Outcome::NotSent)));
        assert_eq!(attempts, 0);
        assert!(error.message.starts_with(problem), "{problem}\nis not in\n{}", error.message);
    }
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 0);
}

#[test]
fn errors_of_the_service_are_reported() {
    for (status, body, expected, outcome, attempts, end) in [
        (
            "400 Bad Request",
            r#"{"links":[],"data":null,"errors":[{"type":"invalid_parameter","description":"no","source":{"field":"tag"}}],"requestId":"r-1"}"#,
            Status::BadRequest,
            Outcome::Rejected,
            1,
            "(HTTP 400): invalid_parameter: no (field tag)",
        ),
        (
            "403 Forbidden",
            r#"{"message":"Missing Authentication Token"}"#,
            Status::Forbidden,
            Outcome::Rejected,
            1,
            "endpointsUrl ends in /v2 (HTTP 403): Missing Authentication Token",
        ),
        (
            "500 Internal Server Error",
            r#"{"errors":[{"type":"service_unavailable","description":"down"}]}"#,
            Status::Server,
            Outcome::Unknown,
            1,
            ": service_unavailable: down",
        ),
        ("429 Too Many Requests", "", Status::RateLimited, Outcome::Rejected, 3, "(HTTP 429)"),
    ] {
        let server = same(status, "", body);
        let (error, found, tried) =
            failed(&client(&server), &CREATE_ENDPOINT, &Ids::default(), Some(REQUEST));
        assert_eq!((error.status, found, tried), (expected, Some(outcome), attempts));
        assert!(error.message.ends_with(end), "{}", error.message);
        let details = error.response.unwrap();
        assert_eq!(details.request_id.as_deref(), body.contains("r-1").then_some("r-1"));
    }
}

#[test]
fn quota_of_endpoints_is_not_retried() {
    let body = r#"{"links":[],"data":null,"errors":[{"type":"too_many_endpoints","description":"Delete one."}]}"#;
    for headers in ["Retry-After: 900\r\n", "Retry-After: 0\r\n", ""] {
        let server = same("429 Too Many Requests", headers, body);
        let (error, outcome, attempts) =
            failed(&client(&server), &CREATE_ENDPOINT, &Ids::default(), Some(REQUEST));
        assert_eq!((error.status, outcome), (Status::RateLimited, Some(Outcome::Rejected)));
        assert_eq!(attempts, 1);
        assert!(error.message.contains("delete endpoints"), "{}", error.message);
        assert!(error.message.ends_with("too_many_endpoints: Delete one."), "{}", error.message);
    }
}

#[test]
fn only_create_is_not_repeated_after_an_unknown_outcome() {
    let lost_then = |status: &'static str, body: &'static str| {
        server(move |n, _| (n > 0).then(|| response(status, "", body)))
    };
    let lost = lost_then("201 Created", CREATED);
    let (error, outcome, attempts) =
        failed(&client(&lost), &CREATE_ENDPOINT, &Ids::default(), Some(REQUEST));
    assert_eq!((error.status, outcome), (Status::Network, Some(Outcome::Unknown)));
    assert_eq!((attempts, lost.state.requests.lock().unwrap().len()), (1, 1));

    for (operation, request, status, body, document) in [
        (&DELETE_ENDPOINT, None, "404 Not Found", "{}", "null"),
        (&DELETE_ENDPOINT, None, "204 No Content", "", "null"),
        (&GET_ENDPOINT, None, "200 OK", r#"{"data":{}}"#, r#"{"data":{}}"#),
        (&UPDATE_ENDPOINT_BXML, Some("<R/>"), "204 No Content", "", "null"),
    ] {
        let server = lost_then(status, body);
        assert_eq!(client(&server).call(operation, &endpoint("e"), request).unwrap(), document);
        assert_eq!(server.state.requests.lock().unwrap().len(), 2);
    }
    let gone = same("404 Not Found", "", r#"{"errors":[{"type":"resource_not_found"}]}"#);
    let (error, outcome, attempts) = failed(&client(&gone), &DELETE_ENDPOINT, &endpoint("e"), None);
    assert_eq!((error.status, outcome), (Status::NotFound, Some(Outcome::Rejected)));
    assert_eq!(attempts, 1);
}

#[test]
fn hostile_envelopes_are_protocol_errors() {
    let deep = format!(r#"{{"data":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"data":null}"#,
        r#"{"data":[{"endpointId":"e","token":"t"}]}"#,
        r#"{"data":{"endpointId":"e"}}"#,
        r#"{"data":{"endpointId":7,"token":"t"}}"#,
        r#"{"data":{"endpointId":"e","token":"t"}"#,
        "<html></html>",
        &deep,
    ] {
        let server = same("201 Created", "", body);
        let (error, outcome, attempts) =
            failed(&client(&server), &CREATE_ENDPOINT, &Ids::default(), Some(REQUEST));
        assert_eq!((error.status, outcome), (Status::Protocol, Some(Outcome::Unknown)), "{body}");
        assert_eq!(attempts, 1);
        assert!(error.message.ends_with("(HTTP 201); check endpointsUrl"), "{}", error.message);
    }
}

#[test]
fn created_resource_is_reported_although_its_response_is_unusable() {
    let request = r#"{"type":"WEBRTC","direction":"INBOUND","tag":"a tag"}"#;
    // The end of a long response is not read.
    let long = format!(r#"{{"data":{{"endpointId":"x","token":"{}"}}}}"#, "x".repeat(1 << 20));
    let long = response("201 Created", "", &long);
    for (operation, request, response, tag) in [
        (
            &CREATE_ENDPOINT,
            request,
            response("200 OK", "", r#"{"data":{"endpointId":"x"}}"#),
            "a tag",
        ),
        (
            &CREATE_ENDPOINT,
            request,
            response("200 OK", "", r#"{"data":{"endpointId":"x","token":"a\u0000"}}"#),
            "a tag",
        ),
        (&CREATE_ENDPOINT, request, long, "a tag"),
        (
            &CREATE_PARTICIPANT,
            r#"{"tag":"p"}"#,
            response("200 OK", "", r#"{"participant":{"id":"x"},"token":{}}"#),
            "p",
        ),
        (&CREATE_SESSION, r#"{"tag":"s"}"#, response("200 OK", "", r#"{"id":"x","y"}"#), "s"),
    ] {
        let server = server(move |n, _| (n == 0).then(|| response.clone()));
        let config = json!({"accountId": "1", "username": "u", "password": "a password",
            "baseUrl": url(&server, "/v1"), "endpointsUrl": url(&server, "/v2")});
        let client = abi::Client::new(&config).unwrap();
        let queue = Queue::new(&client, &json!({})).unwrap();
        let body: Value = parse(request);
        queue.submit(&json!({"operation": operation.name, "body": body}), 7).unwrap();
        let error = queue.next(-1).unwrap().document["error"].take();
        assert_eq!(
            (&error["outcome"], &error["attempts"]),
            (&json!("unknown"), &json!(1)),
            "{error}"
        );
        let late = json!({"operation": operation.name, "id": "x", "tag": tag, "userData": 7});
        assert_eq!(client.take_late(), json!({"late": [late], "dropped": 0}), "{error}");
        assert_eq!(client.stats()["lateAnswers"], 1);
    }
}

/// The client of a sandbox, for both services.
fn sandbox_client(sandbox: &Sandbox) -> Client {
    let endpoints_url = sandbox.url.replace("/v1", "/v2");
    let config = sandbox.oauth_config(&json!({"endpointsUrl": endpoints_url}));
    Client::new(Config::from_json(&config.to_string()).unwrap()).ok().unwrap()
}

fn parse(document: &str) -> Value {
    serde_json::from_str(document).unwrap()
}

#[test]
fn all_operations_work_in_the_life_of_endpoints() {
    let sandbox = Sandbox::start(&[]);
    let client = sandbox_client(&sandbox);
    let ids: Vec<String> = (0..5)
        .map(|_| {
            let created = parse(&create(&client).unwrap());
            let token = created["data"]["token"].as_str().unwrap();
            assert!(parse(&token_claims(token).unwrap())["expiresInMs"].as_i64().unwrap() > 0);
            created["data"]["endpointId"].as_str().unwrap().to_owned()
        })
        .collect();
    let mut listed = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..3 {
        let query = json!({"limit": 2, "type": "WEBRTC", "afterCursor": cursor}).to_string();
        let page = client.call(&LIST_ENDPOINTS, &Ids::default(), Some(&query)).unwrap();
        let page = parse(&page);
        let data = page["data"].as_array().unwrap();
        listed.extend(data.iter().map(|e| e["endpointId"].as_str().unwrap().to_owned()));
        let links = page["links"].as_array().unwrap();
        let next = links.iter().find(|link| link["rel"] == "next");
        cursor = next.map(|link| {
            let (_, query) = link["href"].as_str().unwrap().split_once("afterCursor=").unwrap();
            let encoded = query.split('&').next().unwrap();
            percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap().into_owned()
        });
    }
    assert_eq!(cursor, None);
    listed.sort();
    let mut expected = ids.clone();
    expected.sort();
    assert_eq!(listed, expected);

    let found = parse(&client.call(&GET_ENDPOINT, &endpoint(&ids[0]), None).unwrap());
    assert_eq!(found["data"]["endpointId"], json!(ids[0]));
    assert_eq!(found["data"].get("token"), None);
    assert_eq!(client.call(&DELETE_ENDPOINT, &endpoint(&ids[0]), None).unwrap(), "null");
    let (error, outcome, _) = failed(&client, &GET_ENDPOINT, &endpoint(&ids[0]), None);
    assert_eq!((error.status, outcome), (Status::NotFound, Some(Outcome::Rejected)));
    assert!(error.message.contains("not_found"), "{}", error.message);
    let session = client.call(&CREATE_SESSION, &Ids::default(), None).unwrap();
    assert!(parse(&session)["id"].is_string());
}

/// Bandwidth's OpenAPI document is the source of what a request may contain.
#[test]
fn request_checks_agree_with_the_openapi_document() {
    let api: Value = parse(include_str!("../data/brtc-endpoints.json"));
    let operations = &api["operations"];
    assert_eq!(api["url"], ENDPOINTS_URL);
    for operation in OPERATIONS.iter().filter(|o| o.service == Service::Endpoints) {
        let documented = &operations[operation.name];
        assert_eq!(documented["method"], operation.method.name(), "{}", operation.name);
        assert_eq!(documented["path"], format!("/accounts/{{accountId}}{}", operation.path));
        let media_type = documented["request"]["mediaType"].as_str();
        assert_eq!(media_type.unwrap_or("application/json"), operation.request.content_type());
    }
    assert_eq!(operations.as_object().unwrap().len(), 5);

    let body = &operations["createEndpoint"]["request"]["schema"];
    let parameters = operations["listEndpoints"]["parameters"].as_object().unwrap();
    let query: Map<String, Value> = parameters
        .iter()
        .filter(|(_, parameter)| parameter["in"] == "query")
        .map(|(name, parameter)| (name.clone(), parameter["schema"].clone()))
        .collect();
    let query = json!({"properties": query, "required": []});
    for (operation, schema) in [(&CREATE_ENDPOINT, body), (&LIST_ENDPOINTS, &query)] {
        let check = |request: &Value| {
            operation.request.check(&"request", Some(&request.to_string())).map(drop)
        };
        let properties = schema["properties"].as_object().unwrap();
        let all: Map<String, Value> = properties
            .iter()
            .map(|(name, rule)| (name.clone(), valid_values(rule).remove(0)))
            .collect();
        assert_eq!(check(&json!(all)), Ok(()));
        for (name, rule) in properties {
            let with = |value: Value| {
                let mut request = all.clone();
                request.insert(name.clone(), value);
                json!(request)
            };
            for value in valid_values(rule) {
                assert_eq!(check(&with(value)), Ok(()), "{name}");
            }
            for value in invalid_values(rule) {
                assert!(check(&with(value.clone())).is_err(), "{name}: {value}");
            }
            let is_required = schema["required"].as_array().unwrap().contains(&json!(name));
            assert_eq!(check(&with(Value::Null)).is_err(), is_required, "{name}");
        }
        let message = check(&json!({"unknown": 1})).unwrap_err();
        let (_, names) = message.split_once("the known names are ").unwrap();
        let names = names.split(';').next().unwrap().split(", ");
        assert_eq!(
            names.collect::<BTreeSet<_>>(),
            properties.keys().map(String::as_str).collect::<BTreeSet<_>>()
        );
    }
}

fn valid_values(rule: &Value) -> Vec<Value> {
    match (rule["type"].as_str().unwrap(), rule["enum"].as_array()) {
        (_, Some(values)) => values.clone(),
        ("string", _) if rule["format"] == "uri" => vec![json!("https://example.com/x")],
        ("string", _) => {
            let longest = rule["maximum"].as_u64().unwrap_or(100) as usize;
            vec![json!("x"), json!("x".repeat(longest))]
        }
        ("integer", _) => vec![rule["minimum"].clone(), rule["maximum"].clone()],
        _ => vec![json!({}), json!({"a": [1]})],
    }
}

fn invalid_values(rule: &Value) -> Vec<Value> {
    match (rule["type"].as_str().unwrap(), rule["maximum"].as_u64()) {
        ("string", _) if rule["enum"].is_array() => vec![json!("OTHER"), json!(1)],
        ("string", _) if rule["format"] == "uri" => vec![json!("x"), json!({})],
        ("string", Some(most)) => vec![json!("x".repeat(most as usize + 1)), json!(1)],
        ("integer", Some(most)) => vec![json!(0), json!(most + 1), json!("1")],
        _ => vec![json!([])],
    }
}

#[test]
fn quota_of_the_sandbox_is_reported() {
    let sandbox = Sandbox::start(&["--max-endpoints", "1"]);
    let client = sandbox_client(&sandbox);
    create(&client).unwrap();
    let (error, outcome, attempts) =
        failed(&client, &CREATE_ENDPOINT, &Ids::default(), Some(REQUEST));
    assert_eq!((error.status, outcome), (Status::RateLimited, Some(Outcome::Rejected)));
    assert_eq!((attempts, error.response.unwrap().retry_after_ms), (1, Some(900_000)));
}
