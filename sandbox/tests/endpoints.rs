//! BRTC Endpoints (v2). All responses are compared with the OpenAPI document.

mod support;

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::openapi::{OPENAPI, assert_conforms, assert_matches};
use support::{
    ENDPOINTS, JSON, Response, Sandbox, assert_contains_none, authorization, basic, bearer,
    jwt_part, request, wait_for,
};

const XML: &str = "Content-Type: application/xml\r\n";
const MINIMAL: &str = r#"{"type":"WEBRTC","direction":"INBOUND"}"#;
const UNKNOWN_ENDPOINT: &str = "e-00000000-00000000-0000-4000-8000-000000000000";

/// A request of the API user with these header lines.
fn v2_request(method: &str, path: &str, headers: &str, body: &str) -> String {
    request(method, path, &(authorization(&basic("user:secret")) + headers), body)
}

/// Sends a request of the API user; the path is relative to the account's endpoints.
#[track_caller]
fn call(sandbox: &Sandbox, method: &str, path: &str, headers: &str, body: &str) -> Response {
    let response = sandbox.send(&v2_request(method, &format!("{ENDPOINTS}{path}"), headers, body));
    let operation = match (method, path.ends_with("/bxml"), path.starts_with('/')) {
        (_, true, _) => "updateEndpointBxml",
        ("POST", ..) => "createEndpoint",
        ("GET", _, false) => "listEndpoints",
        ("GET", ..) => "getEndpoint",
        _ => "deleteEndpoint",
    };
    assert_conforms(operation, &response);
    response
}

fn create(sandbox: &Sandbox, body: &str) -> Response {
    call(sandbox, "POST", "", JSON, body)
}

fn get(sandbox: &Sandbox, path: &str) -> Response {
    call(sandbox, "GET", path, "", "")
}

fn delete(sandbox: &Sandbox, id: &str) -> Response {
    call(sandbox, "DELETE", &format!("/{id}"), "", "")
}

/// Creates endpoints quickly: many requests on each of a few connections.
fn create_many(sandbox: &Sandbox, count: usize) {
    let one = v2_request("POST", ENDPOINTS, JSON, MINIMAL);
    let kept_alive = one.replace("Connection: close\r\n", "");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let bytes = kept_alive.repeat(count / 4 - 1) + &one;
                let mut stream = sandbox.connect();
                let mut writer = stream.try_clone().unwrap();
                scope.spawn(move || std::io::Write::write_all(&mut writer, bytes.as_bytes()));
                let text = String::from_utf8(support::read_all(&mut stream)).unwrap();
                assert_eq!(text.matches("HTTP/1.1 201 Created").count(), count / 4);
            });
        }
    });
}

/// The value of `afterCursor` in the `next` link.
fn next_cursor(page: &Value) -> Option<String> {
    let links = page["links"].as_array().unwrap();
    let next = links.iter().find(|link| link["rel"] == "next")?;
    let query = next["href"].as_str().unwrap().split_once('?').unwrap().1;
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.find(|(name, _)| name == "afterCursor").map(|(_, value)| value.into_owned())
}

/// The ids of all endpoints, and the number of pages. `between` runs after each page but the last.
fn all_ids(sandbox: &Sandbox, query: &str, mut between: impl FnMut()) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = get(sandbox, &format!("?{query}{cursor}"));
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(page.json["page"]["pageNumber"], pages);
        let data = page.json["data"].as_array().unwrap();
        ids.extend(data.iter().map(|e| e["endpointId"].as_str().unwrap().to_owned()));
        pages += 1;
        assert!(pages < 1000, "the list has no end");
        let Some(next) = next_cursor(&page.json) else { return (ids, pages) };
        let encoded: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        cursor = format!("&afterCursor={encoded}");
        between();
    }
}

/// Fails unless this is a 400 whose errors have these sources.
#[track_caller]
fn assert_invalid(response: &Response, sources: &Value) {
    assert_eq!(response.status, 400, "{response:?}");
    let found: Value =
        response.json["errors"].as_array().unwrap().iter().map(|e| e["source"].clone()).collect();
    assert_eq!(&found, sources, "{response:?}");
}

fn is_id(text: &str, prefix: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    text.starts_with(prefix)
        && lengths == [1, 8, 8, 4, 4, 4, 12]
        && text[2..].bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[test]
fn endpoint_is_created_read_listed_and_deleted() {
    let sandbox = Sandbox::start(&[]);
    let body = &OPENAPI["examples"]["createWeRtcEndpointExample"];
    let created = create(&sandbox, &body.to_string());
    assert_eq!(created.status, 201, "{created:?}");
    let mut data = created.json["data"].clone();
    let id = data["endpointId"].as_str().unwrap().to_owned();
    assert!(is_id(&id, "e-"), "{id}");
    assert_eq!((&data["tag"], &data["devices"]), (&body["tag"], &json!([])));
    assert_eq!((&data["type"], &data["status"]), (&json!("WEBRTC"), &json!("DISCONNECTED")));
    let token = data["token"].take();
    let claims = jwt_part(token.as_str().unwrap(), 1);
    assert_eq!(jwt_part(token.as_str().unwrap(), 0), json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!((&claims["sub"], &claims["a"]), (&json!(id), &json!("9900000")));
    let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!((86_400..=86_401).contains(&lifetime), "{claims}");
    // A day later, at the same time of day.
    let time = |name: &str| data[name].as_str().unwrap().split_once('T').unwrap();
    let (created_at, expires_at) = (time("creationTimestamp"), time("expirationTimestamp"));
    assert!(created_at.1 == expires_at.1 && created_at.0 < expires_at.0, "{data}");

    data.as_object_mut().unwrap().remove("token");
    let href = format!("http://localhost{ENDPOINTS}/{id}");
    let link = |rel: &str| json!([{"href": href, "rel": rel, "method": "GET"}]);
    assert_eq!(created.json["links"], link("endpoint"));
    let read = get(&sandbox, &format!("/{id}"));
    assert_eq!((&read.json["data"], &read.json["links"]), (&data, &link("self")));
    data.as_object_mut().unwrap().remove("devices");
    let list = get(&sandbox, "");
    assert_eq!(list.json["data"], json!([data]));
    let page = json!({"pageSize": 100, "totalElements": 1, "totalPages": 1, "pageNumber": 0});
    assert_eq!(list.json["page"], page);

    let state = sandbox.control("GET", "/state", "");
    let endpoint = &state.json["accounts"][0]["endpoints"][0];
    for key in ["direction", "eventCallbackUrl", "eventFallbackUrl", "tag"] {
        assert_eq!(endpoint[key], body[key], "{key}");
    }
    for response in [&state, &sandbox.control("GET", "/requests", ""), &read, &list] {
        assert_contains_none(&response.body, &[token.as_str().unwrap(), "dXNlc", "secret"]);
    }
    delete(&sandbox, &id).assert_no_content();
    for response in [delete(&sandbox, &id), get(&sandbox, &format!("/{id}"))] {
        assert_eq!(response.status, 404);
        assert_eq!(response.json["errors"][0]["source"], json!({"reference": id}));
    }
    assert_eq!(get(&sandbox, "").json["data"], json!([]));
}

#[test]
fn fields_of_an_endpoint_are_checked() {
    let sandbox = Sandbox::start(&[]);
    let with = |name: &str, value: Value| {
        let mut body: Value = serde_json::from_str(MINIMAL).unwrap();
        body[name] = value;
        body.to_string()
    };
    let longest = "\u{1f600}".repeat(1024);
    let schema = &OPENAPI["operations"]["createEndpoint"]["request"]["schema"]["properties"];
    for direction in schema["direction"]["enum"].as_array().unwrap() {
        assert_eq!(create(&sandbox, &with("direction", direction.clone())).status, 201);
    }
    for (name, value) in [
        ("tag", json!(longest)),
        ("tag", json!("")),
        ("eventCallbackUrl", json!("http://127.0.0.1:1/x?y=z")),
        ("connectionMetadata", json!({"any": [{"thing": null}]})),
        ("unknown", json!(1)),
    ] {
        assert_eq!(create(&sandbox, &with(name, value.clone())).status, 201, "{name} {value}");
    }
    for (name, value) in [
        ("type", json!("SIP")),
        ("type", json!("webrtc")),
        ("type", json!(null)),
        ("direction", json!("SIDEWAYS")),
        ("direction", json!(["INBOUND"])),
        ("tag", json!(longest + "x")),
        ("tag", json!(5)),
        ("tag", json!(null)),
        ("eventCallbackUrl", json!("/relative")),
        ("eventCallbackUrl", json!("ftp://example.com/")),
        ("eventFallbackUrl", json!("https://")),
        ("eventFallbackUrl", json!({})),
        ("connectionMetadata", json!("text")),
        ("connectionMetadata", json!(null)),
    ] {
        let response = create(&sandbox, &with(name, value.clone()));
        assert_invalid(&response, &json!([{"field": name}]));
    }
    // All invalid fields are named.
    let response = create(&sandbox, r#"{"tag": 1}"#);
    assert_invalid(
        &response,
        &json!([{"field": "type"}, {"field": "direction"}, {"field": "tag"}]),
    );
    for body in ["", "null", "[]", "\"x\"", "{", "{\"type\":\"WEBRTC\"}}", "\u{0}"] {
        assert_invalid(&create(&sandbox, body), &json!([null]));
    }
}

#[test]
fn media_type_is_checked() {
    let sandbox = Sandbox::start(&["--endpoint-bxml"]);
    let id = sandbox.endpoint(json!({}));
    for headers in ["", XML, "Content-Type: text/json\r\n", "Content-Type: \r\n"] {
        assert_eq!(call(&sandbox, "POST", "", headers, MINIMAL).status, 415, "{headers}");
    }
    for headers in ["Content-Type: Application/JSON; charset=utf-8\r\n", JSON] {
        assert_eq!(call(&sandbox, "POST", "", headers, MINIMAL).status, 201, "{headers}");
    }
    let path = format!("/{id}/bxml");
    for headers in ["", JSON, "Content-Type: text/xml\r\n"] {
        assert_eq!(call(&sandbox, "PUT", &path, headers, "<Response/>").status, 415, "{headers}");
    }
}

#[test]
fn credentials_accounts_methods_and_routes_are_checked() {
    let sandbox = Sandbox::start(&[]);
    let send = |method: &str, path: &str, credentials: &str| {
        sandbox.send(&request(method, path, &authorization(credentials), ""))
    };
    for credentials in ["", "Basic ???", &basic("user:wrong"), &bearer("x.y.z")] {
        for account in ["9900000", "1", "invalid-account-id"] {
            let path = format!("/v2/accounts/{account}/endpoints");
            let response = send("GET", &path, credentials);
            assert_conforms("listEndpoints", &response);
            assert_eq!(response.status, 401, "{account}");
        }
    }
    let token = bearer(&sandbox.token());
    for credentials in [&basic("user:secret"), &token] {
        let status = |account: &str| {
            let response = send("GET", &format!("/v2/accounts/{account}/endpoints"), credentials);
            assert_conforms("listEndpoints", &response);
            response.status
        };
        assert_eq!((status("9900000"), status("1"), status("invalid-account-id")), (200, 403, 404));
    }
    let one = format!("{ENDPOINTS}/{UNKNOWN_ENDPOINT}");
    for (method, path, allow) in [
        ("PUT", ENDPOINTS.to_owned(), "GET, POST"),
        ("DELETE", ENDPOINTS.to_owned(), "GET, POST"),
        ("POST", one.clone(), "DELETE, GET"),
        ("PATCH", one.clone(), "DELETE, GET"),
        ("GET", format!("{one}/bxml"), "PUT"),
    ] {
        let response = send(method, &path, &token);
        assert_conforms("getEndpoint", &response);
        assert_eq!((response.status, response.header("allow")), (405, Some(allow.to_owned())));
    }
    for path in ["/v2", "/v2/accounts/9900000", "/v2/accounts/9900000/endpoints/", &(one + "/x")] {
        let response = send("GET", path, &token);
        let forbidden = json!({"message": "Missing Authentication Token"});
        assert_eq!((response.status, response.json), (403, forbidden), "{path}");
    }
    // The token of an endpoint is not an access token.
    let created = create(&sandbox, MINIMAL);
    let token = created.json["data"]["token"].as_str().unwrap();
    assert_eq!(send("GET", ENDPOINTS, &bearer(token)).status, 401);
}

#[test]
fn no_basic_rejects_the_user_name_and_password() {
    let sandbox = Sandbox::start(&["--no-basic"]);
    assert_eq!(create(&sandbox, MINIMAL).status, 401);
    let headers = authorization(&bearer(&sandbox.token())) + JSON;
    assert_eq!(sandbox.send(&request("POST", ENDPOINTS, &headers, MINIMAL)).status, 201);
}

#[test]
fn parameters_of_a_list_are_checked() {
    let sandbox = Sandbox::start(&[]);
    sandbox.endpoint(json!({}));
    for query in
        ["?", "?type=WEBRTC", "?status=DISCONNECTED&limit=1000", "?limit=1&unknown=x", "?limit=007"]
    {
        assert_eq!(get(&sandbox, query).json["data"].as_array().unwrap().len(), 1, "{query}");
    }
    assert_eq!(get(&sandbox, "?status=CONNECTED").json["data"], json!([]));
    for (query, name) in [
        ("?type=SIP", "type"),
        ("?type=", "type"),
        ("?status=connected", "status"),
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=%2B5", "limit"),
        ("?limit=1.5", "limit"),
        ("?limit=", "limit"),
        ("?limit=99999999999999999999999", "limit"),
        ("?limit=5&limit=6", "limit"),
        ("?afterCursor=", "afterCursor"),
        ("?afterCursor=x", "afterCursor"),
        ("?afterCursor=TWF5IHRoZSBmb3JjZSBiZSB3aXRoIHlvdQ==", "afterCursor"),
    ] {
        assert_invalid(&get(&sandbox, query), &json!([{"parameter": name}]));
    }
    let response = get(&sandbox, "?status=x&limit=y");
    assert_invalid(&response, &json!([{"parameter": "status"}, {"parameter": "limit"}]));
    let long = "A".repeat(64 * 1024);
    let response =
        sandbox.send(&v2_request("GET", &format!("{ENDPOINTS}?afterCursor={long}"), "", ""));
    assert!(matches!(response.status, 400 | 414 | 431), "{}", response.status);
}

#[test]
fn list_has_pages() {
    let sandbox = Sandbox::start(&[]);
    let ids: Vec<String> = (0..5).map(|_| sandbox.endpoint(json!({}))).collect();
    for (limit, pages) in [(1, 5), (2, 3), (4, 2), (5, 1), (6, 1)] {
        let query = format!("limit={limit}");
        assert_eq!(all_ids(&sandbox, &query, || ()), (ids.clone(), pages), "{limit}");
    }
    let first = get(&sandbox, "?type=WEBRTC&status=DISCONNECTED&limit=2").json;
    let page = json!({"pageSize": 2, "totalElements": 5, "totalPages": 3, "pageNumber": 0});
    assert_eq!(first["page"], page);
    let query = "?type=WEBRTC&status=DISCONNECTED&limit=2";
    let href = |index: usize| first["links"][index]["href"].as_str().unwrap();
    assert_eq!(href(0), format!("http://localhost{ENDPOINTS}{query}"));
    // As in the specification's example, the padding is not encoded.
    let next = href(1).strip_prefix(&format!("{}&afterCursor=", href(0))).unwrap();
    assert!(next.ends_with("=="), "{next}");
    // The link is usable as it is.
    let path = href(1).strip_prefix("http://localhost").unwrap();
    let second = sandbox.send(&v2_request("GET", path, "", "")).json;
    assert_eq!(second["data"][0]["endpointId"], ids[2]);
    assert_eq!(second["links"][0]["href"], href(1));
    // A cursor is valid for this sandbox only, and not after a change.
    let cursor = next_cursor(&first).unwrap();
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let get_after =
        |cursor: &str| get(&sandbox, &format!("?afterCursor={}", encode(cursor))).status;
    let changed = cursor.replacen('A', "B", 1);
    assert_eq!((get_after(&cursor), get_after(&changed), get_after(&cursor[1..])), (200, 400, 400));
    let other = Sandbox::start(&[]);
    assert_eq!(get(&other, &format!("?afterCursor={}", encode(&cursor))).status, 400);
    sandbox.reset();
    assert_eq!(get_after(&cursor), 400);
}

#[test]
fn list_of_ten_thousand_endpoints_is_complete() {
    let sandbox = Sandbox::start(&[]);
    create_many(&sandbox, 10_000);
    let (ids, pages) = all_ids(&sandbox, "limit=1000", || ());
    assert_eq!((ids.len(), pages), (10_000, 10));
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 10_000);
    // Endpoints that are deleted or created between two pages neither hide nor repeat others.
    let mut deleted = ids.iter().step_by(997);
    let mut created = Vec::new();
    let mut change = || {
        if let Some(id) = deleted.next() {
            delete(&sandbox, id).assert_no_content();
        }
        created.push(sandbox.endpoint(json!({})));
    };
    let (found, _) = all_ids(&sandbox, "limit=1000", &mut change);
    let unique: HashSet<&String> = found.iter().collect();
    assert_eq!(unique.len(), found.len());
    let gone: HashSet<&String> = ids.iter().step_by(997).collect();
    assert!(ids.iter().all(|id| unique.contains(id) || gone.contains(id)));
    assert!(created.iter().all(|id| unique.contains(id)));
}

#[test]
fn list_is_filtered_by_status() {
    let sandbox = Sandbox::start(&[]);
    let ids: Vec<String> = (0..9).map(|_| sandbox.endpoint(json!({}))).collect();
    let connected: Vec<String> = ids.iter().step_by(2).cloned().collect();
    for id in &connected {
        let path = format!("/endpoints/{id}/connect");
        assert_eq!(sandbox.control("POST", &path, "").status, 200);
    }
    assert_eq!(all_ids(&sandbox, "status=CONNECTED&limit=2", || ()), (connected, 3));
    let page = get(&sandbox, "?status=DISCONNECTED&limit=3").json;
    assert_eq!(
        (&page["page"]["totalElements"], &page["page"]["totalPages"]),
        (&json!(4), &json!(2))
    );
}

#[test]
fn quota_is_exact_under_concurrency() {
    let sandbox = Sandbox::start(&["--max-endpoints", "5"]);
    let responses: Vec<Response> = thread::scope(|scope| {
        let create = || create(&sandbox, MINIMAL);
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(create)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let count = |status| responses.iter().filter(|r| r.status == status).count();
    assert_eq!((count(201), count(429)), (5, 15));
    let rejected = responses.iter().find(|response| response.status == 429).unwrap();
    assert_eq!(rejected.header("retry-after").as_deref(), Some("900"));
    let error = rejected.json["errors"][0].as_object().unwrap();
    assert_eq!(error.keys().collect::<Vec<_>>(), ["description", "type"]);
    // An invalid request is reported as such.
    assert_eq!(create(&sandbox, "{}").status, 400);
    let id = get(&sandbox, "").json["data"][2]["endpointId"].clone();
    delete(&sandbox, id.as_str().unwrap()).assert_no_content();
    assert_eq!((create(&sandbox, MINIMAL).status, create(&sandbox, MINIMAL).status), (201, 429));
}

#[test]
fn endpoints_expire() {
    let sandbox = Sandbox::start(&["--endpoint-ttl", "1", "--max-endpoints", "1"]);
    let started = Instant::now();
    let created = create(&sandbox, MINIMAL);
    let id = created.json["data"]["endpointId"].as_str().unwrap();
    wait_for("the expiry", || (get(&sandbox, &format!("/{id}")).status == 404).then_some(()));
    assert!(started.elapsed() >= Duration::from_secs(1));
    let page = get(&sandbox, "").json;
    assert_eq!((&page["data"], &page["page"]["totalElements"]), (&json!([]), &json!(0)));
    assert_eq!(delete(&sandbox, id).status, 404);
    let path = format!("/endpoints/{id}/connect");
    assert_eq!(sandbox.control("POST", &path, "").status, 404);
    // The quota counts only endpoints that exist.
    assert_eq!(create(&sandbox, MINIMAL).status, 201);
}

#[test]
fn update_of_bxml_is_not_served_by_default() {
    let sandbox = Sandbox::start(&[]);
    let id = sandbox.endpoint(json!({}));
    let response = call(&sandbox, "PUT", &format!("/{id}/bxml"), XML, "<Response/>");
    assert_eq!((response.status, response.header("allow").as_deref()), (405, Some("PUT")));
    // Its faults can be simulated.
    sandbox.add_fault(&json!({"operation": "updateEndpointBxml", "kind": "status", "status": 500,
        "body": {"links": [], "data": null, "errors": []}}));
    let request = v2_request("PUT", &format!("{ENDPOINTS}/{id}/bxml"), XML, "<Response/>");
    assert_eq!(sandbox.send(&request).status, 500);
}

#[test]
fn update_of_bxml_checks_the_document() {
    let sandbox = Sandbox::start(&["--endpoint-bxml"]);
    let id = sandbox.endpoint(json!({}));
    let put = |id: &str, body: &str| call(&sandbox, "PUT", &format!("/{id}/bxml"), XML, body);
    let declaration = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    for body in [
        "<Response><StartRecording /></Response>",
        "<Bxml><StartRecording/></Bxml>",
        &format!(
            "{declaration}\n<Response><SpeakSentence>\u{e9} &amp; &#233;</SpeakSentence></Response>"
        ),
    ] {
        put(&id, body).assert_no_content();
        assert_eq!(sandbox.state()["endpoints"][0]["bxml"], body);
    }
    let kept = sandbox.state()["endpoints"][0]["bxml"].clone();
    let deep = "<a>".repeat(80_000);
    for body in [
        "",
        "text",
        "<Response>",
        "<Response></Bxml>",
        "<Response/><Response/>",
        "<Other/>",
        "<Response>&undefined;</Response>",
        "<!DOCTYPE Response><Response/>",
        r#"<!DOCTYPE a [<!ENTITY x "y">]><Response>&x;</Response>"#,
        "<Response a=1/>",
        "<Response>\u{0}</Response>",
        "{}",
        &deep,
    ] {
        assert_eq!(put(&id, body).status, 400, "{:.80}", body);
    }
    let closed = format!("<Response>{}{}</Response>", "<a>".repeat(30_000), "</a>".repeat(30_000));
    assert!(matches!(put(&id, &closed).status, 204 | 400));
    assert_eq!(put(UNKNOWN_ENDPOINT, "<Response/>").status, 404);
    put(&id, "<Response password=\"topsecret\"/>").assert_no_content();
    assert_ne!(kept, json!(null));
    // BXML may contain credentials, and is not recorded.
    assert_contains_none(&sandbox.control("GET", "/requests", "").body, &["topsecret"]);
}

#[test]
fn requests_are_recorded_with_their_parameters_and_without_secrets() {
    let sandbox = Sandbox::start(&[]);
    let token = sandbox.token();
    let headers = authorization(&bearer(&token)) + JSON;
    let body =
        r#"{"type":"WEBRTC","direction":"INBOUND","token":"topsecret","client_secret":"x1x"}"#;
    let query = "?access_token=topsecret&password=topsecret";
    sandbox.send(&request("POST", &format!("{ENDPOINTS}{query}"), &headers, body));
    get(&sandbox, "?limit=2&status=CONNECTED&unknown=topsecret");
    get(&sandbox, &format!("/{UNKNOWN_ENDPOINT}"));
    let response = sandbox.control("GET", "/requests", "");
    assert_contains_none(&response.body, &["topsecret", "x1x", &token, "dXNlc", "uthorization"]);
    let find = |index: usize, key: &str| response.json[index + 1][key].clone();
    let operations: Vec<Value> = (0..3).map(|index| find(index, "operation")).collect();
    assert_eq!(operations, ["createEndpoint", "listEndpoints", "getEndpoint"]);
    assert_eq!((find(0, "path"), find(0, "status")), (json!(ENDPOINTS), json!(201)));
    assert_eq!((find(0, "query"), find(2, "query")), (json!("omitted&password"), json!(null)));
    assert_eq!(find(1, "query"), "limit=2&status=CONNECTED&omitted");
    assert_eq!(
        (find(0, "body")["direction"].clone(), find(0, "body")["token"].clone()),
        (json!("INBOUND"), json!("omitted"))
    );
}

#[test]
fn hostile_requests_do_not_affect_others() {
    let sandbox = Sandbox::start(&["--endpoint-bxml"]);
    let deep = "[".repeat(100_000);
    let deep_metadata = format!(
        "{{\"type\":\"WEBRTC\",\"direction\":\"INBOUND\",\"connectionMetadata\":{}",
        "{\"a\":".repeat(40_000)
    );
    for body in [deep.as_str(), &deep_metadata, "{\"tag\":\"\\ud800\"}", "{\"tag\":1e999}"] {
        assert_eq!(create(&sandbox, body).status, 400);
    }
    let invalid_utf8 = v2_request("POST", ENDPOINTS, JSON, "{\"a\":\"__\"}").replace("__", "\u{1}");
    let mut bytes = invalid_utf8.into_bytes();
    let place = bytes.iter().rposition(|byte| *byte == 1).unwrap();
    bytes.insert(place, 0xff);
    let response = support::parse_response(&sandbox.send_raw(bytes)).unwrap();
    assert_eq!(response.status, 400);
    for id in ["x", "%00", "..", "%2e%2e", "e-", &"e".repeat(8000), "caf%C3%A9", "%F0%28%8C%28"] {
        assert_eq!(get(&sandbox, &format!("/{id}")).status, 404, "{id:.20}");
    }
    for host in ["attacker.example", "x y", "a\"b", "[::1]:1", "user@host:1", "<b>"] {
        let request = v2_request("POST", ENDPOINTS, JSON, MINIMAL).replace("localhost", host);
        let response = sandbox.send(&request);
        if response.status == 201 {
            let href = response.json["links"][0]["href"].as_str().unwrap();
            assert!(href.starts_with("http://") && !href.contains(['"', ' ', '<']), "{href}");
        }
    }
    assert_eq!(create(&sandbox, MINIMAL).status, 201);
}

#[test]
fn links_have_the_scheme_and_host_that_the_client_used() {
    let file = std::env::temp_dir().join(format!("bw-sandbox-{}-v2.pem", std::process::id()));
    let sandbox = Sandbox::start(&["--tls", "--ca-out", file.to_str().unwrap()]);
    let mut stream = sandbox.connect_tls(&file, "localhost");
    std::fs::remove_file(&file).unwrap();
    let request = v2_request("POST", ENDPOINTS, JSON, MINIMAL)
        .replace("Host: localhost", "Host: sandbox.example:8443");
    let response = support::exchange(&mut stream, &request).unwrap();
    let href = response.json["links"][0]["href"].as_str().unwrap();
    assert!(href.starts_with("https://sandbox.example:8443/v2/accounts/9900000/"), "{href}");
}

#[test]
fn concurrent_operations_are_consistent() {
    let sandbox = Sandbox::start(&[]);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for round in 0..20 {
                    let id = sandbox.endpoint(json!({"tag": round.to_string()}));
                    let found = get(&sandbox, &format!("/{id}")).json;
                    assert_eq!(found["data"]["tag"], round.to_string());
                    assert_eq!(get(&sandbox, "?limit=3").status, 200);
                    if round % 2 == 0 {
                        delete(&sandbox, &id).assert_no_content();
                    }
                }
            });
        }
    });
    let (ids, _) = all_ids(&sandbox, "limit=7", || ());
    assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (80, 80));
}

#[test]
fn reset_deletes_endpoints() {
    let sandbox = Sandbox::start(&[]);
    let id = sandbox.endpoint(json!({}));
    sandbox.reset();
    assert_eq!(get(&sandbox, &format!("/{id}")).status, 404);
    assert_eq!(sandbox.state()["endpoints"], json!([]));
}

#[test]
fn examples_of_the_specification_match_its_schemas() {
    // The comparison itself is correct: it accepts the specification's own examples.
    for (schema, example) in [
        ("createEndpointResponse", "createEndpointResponseExample"),
        ("endpointResponse", "getEndpointResponseExample"),
        ("listEndpointsResponse", "listEndpointsResponseExample"),
    ] {
        assert_matches(&OPENAPI["responses"][schema], &OPENAPI["examples"][example], example);
    }
    let event = &OPENAPI["examples"]["endpointDisconnectedEventExample"];
    assert_matches(&OPENAPI["event"], event, "event");
}
