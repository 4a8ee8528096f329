//! The methods of `bw::Client` in C++.

use crate::documentation::{Body, Operation};
use crate::text::{WIDTH, snake_case, wrap};

pub const HEADER: &str = "include/bw_webrtc.hpp";

/// The declarations and bodies of all methods.
pub fn methods(operations: &[Operation]) -> String {
    let mut text = String::new();
    for operation in operations {
        let request = match &operation.body {
            Body::None => String::new(),
            Body::Whole(parameter) => parameter.document.clone(),
            Body::Fields(fields) => {
                let keys: Vec<_> = fields.iter().map(|field| field.key.as_str()).collect();
                format!("The request may contain {}.", keys.join(", "))
            }
        };
        let returned = match operation.document.as_str() {
            "" => String::new(),
            document => format!("Returns {document}."),
        };
        let comment = [&operation.summary, &operation.details, &request, &returned];
        wrap(&mut text, "    // ", "    // ", &comment.map(String::as_str).join(" "));

        let name = snake_case(operation.name);
        let ids = operation.ids.iter().map(|id| snake_case(&id.key));
        let mut parameters: Vec<_> =
            ids.clone().map(|id| format!("const detail::Argument &{id}")).collect();
        let body = match &operation.body {
            Body::None => None,
            Body::Fields(_) => Some("request".to_owned()),
            Body::Whole(parameter) => Some(snake_case(&parameter.key)),
        };
        if let Some(body) = &body {
            let required = operation.body.parameters().iter().any(|field| field.required);
            let default = if required { "" } else { " = \"{}\"" };
            parameters.push(format!("const detail::Document &{body}{default}"));
        }
        let (returns, result) = match operation.result {
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
