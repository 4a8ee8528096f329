//! The methods of `bw::Client` in C++.

use crate::documentation::{Operation, Type};
use crate::text::{WIDTH, snake_case, wrap};

pub const HEADER: &str = "include/bw_webrtc.hpp";

const SUBSCRIPTIONS: &str = r#"The subscriptions are {"sessionId": ..}, {"participants": [{"participantId": ..}]} or "{}" (nobody)."#;

/// The declarations and bodies of all methods.
pub fn methods(operations: &[Operation]) -> String {
    let mut text = String::new();
    for operation in operations {
        let request = match operation.whole_document() {
            Some(whole) if whole.r#type == Type::Subscriptions => SUBSCRIPTIONS.to_owned(),
            Some(_) => String::new(),
            None => keys(operation),
        };
        let returned = match operation.text.document.as_str() {
            "" => String::new(),
            document => format!("Returns {document}."),
        };
        let comment = [&operation.text.summary, &operation.text.details, &request, &returned];
        wrap(&mut text, "    // ", "    // ", &comment.map(String::as_str).join(" "));

        let name = snake_case(operation.name);
        let ids = operation.ids.iter().map(|id| id.name.clone());
        let mut parameters: Vec<_> = ids.clone().map(|id| format!("TextArg {id}")).collect();
        let document = operation.document.map(|key| match operation.whole_document() {
            Some(whole) => whole.name.clone(),
            None if key == "body" => "request".to_owned(),
            None => key.to_owned(),
        });
        if let Some(document) = &document {
            let is_xml = operation.fields.iter().any(|field| field.r#type == Type::Xml);
            let class = if is_xml { "TextArg" } else { "JsonArg" };
            let is_required = operation.fields.iter().any(|field| field.is_required);
            let default = if is_required { "" } else { " = \"{}\"" };
            parameters.push(format!("{class} {document}{default}"));
        }
        let (returns, result) = match operation.text.result {
            Some(_) => ("return ", "std::string"),
            None => ("", "void"),
        };
        let start = format!("    {result} {name}(");
        let mut signature = format!("{start}{}) const", parameters.join(", "));
        if signature.len() > WIDTH {
            let aligned = format!(",\n{}", " ".repeat(start.len()));
            signature = format!("{start}{}) const", parameters.join(&aligned));
        }
        let arguments: Vec<_> =
            [format!("bw_{name}")].into_iter().chain(ids).chain(document).collect();
        let arguments = arguments.join(", ");
        let line = format!("{signature} {{ {returns}invoke({arguments}); }}\n");
        if line.len() <= WIDTH + 1 {
            text += &line;
        } else {
            text +=
                &format!("{signature}\n    {{\n        {returns}invoke({arguments});\n    }}\n");
        }
    }
    text
}

/// A sentence with the keys of the request document.
fn keys(operation: &Operation) -> String {
    let keys = |is_required: bool| {
        let fields = operation.fields.iter().filter(|field| field.is_required == is_required);
        fields.map(|field| field.key).collect::<Vec<_>>().join(", ")
    };
    let subject = if operation.document == Some("query") { "query" } else { "request" };
    match (keys(true).as_str(), keys(false).as_str()) {
        ("", "") => String::new(),
        ("", optional) => format!("The {subject} may contain {optional}."),
        (required, optional) => {
            format!("The {subject} must contain {required}, and may contain {optional}.")
        }
    }
}
