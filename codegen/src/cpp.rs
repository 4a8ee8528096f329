//! The methods of `bw::Client` in C++.

use crate::documentation::Operation;
use crate::text::{WIDTH, snake_case, wrap};

pub const HEADER: &str = "include/bw_webrtc.hpp";

const SUBSCRIPTIONS: &str = r#"The subscriptions are {"sessionId": ..}, {"participants": [{"participantId": ..}]} or "{}" (nobody)."#;

/// The declarations and bodies of all methods.
pub fn methods(operations: &[Operation]) -> String {
    let mut text = String::new();
    for operation in operations {
        let request = match operation.whole_document() {
            Some(_) => SUBSCRIPTIONS.to_owned(),
            None if operation.has_body => {
                let keys: Vec<_> = operation.body.iter().map(|field| field.key).collect();
                format!("The request may contain {}.", keys.join(", "))
            }
            None => String::new(),
        };
        let returned = match operation.text.document.as_str() {
            "" => String::new(),
            document => format!("Returns {document}."),
        };
        let comment = [&operation.text.summary, &operation.text.details, &request, &returned];
        wrap(&mut text, "    // ", "    // ", &comment.map(String::as_str).join(" "));

        let name = snake_case(operation.name);
        let ids = operation.ids.iter().map(|id| id.name.clone());
        let mut parameters: Vec<_> =
            ids.clone().map(|id| format!("const detail::Argument &{id}")).collect();
        let body = operation.has_body.then(|| {
            operation.whole_document().map_or("request".to_owned(), |whole| whole.name.clone())
        });
        if let Some(body) = &body {
            let is_required = operation.body.iter().any(|field| field.is_required);
            let default = if is_required { "" } else { " = \"{}\"" };
            parameters.push(format!("const detail::Document &{body}{default}"));
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
        let arguments: Vec<_> = [format!("bw_{name}")].into_iter().chain(ids).chain(body).collect();
        let arguments = arguments.join(", ");
        text += &format!("{signature}\n    {{\n        {returns}invoke({arguments});\n    }}\n");
    }
    text
}
