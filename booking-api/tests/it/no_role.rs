//! Somebody who is signed in, of whom neither the token nor the directory says what they are.

use reqwest::Method;
use serde_json::{Value, json};

use crate::document::GOLDEN;
use crate::issuer::{Answers, Issuer};
use crate::session_tokens::{head, keys, serve_without_users, version_2};
use crate::signing::IssuerKey;

/// There is none that is for everybody who has a token; and the document says so.
#[tokio::test]
async fn whoever_has_no_role_is_told_so_by_every_operation() {
    let issuer = Issuer::start(Answers::Keys(keys())).await;
    let serving = serve_without_users(&issuer).await;
    let mut claims = version_2(&issuer);
    (claims["metadata"], claims["sub"]) = (json!({}), json!("user_unknown"));
    let token = IssuerKey::ours().sign_with_header(&head(), &claims);
    let nobody = serving.anonymous.with_token(&token);
    let mut asked = 0;
    for (template, operations) in GOLDEN["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            if operation["security"] == json!([]) {
                continue;
            }
            let (path, id) = (template.replace('{', ""), operation["operationId"].to_string());
            let path = path.replace('}', "");
            let body = operation.get("requestBody").map(|_: &Value| b"{}".to_vec());
            let method: Method = method.to_uppercase().parse().expect("a method");
            // Held against the document, too.
            let answer = nobody.send(method, &path, body).await;
            let status = if operation["tags"] == json!(["Availability"]) { 401 } else { 403 };
            assert_eq!(answer.outcome(), (status, "role_required"), "{id}: {}", answer.text);
            asked += 1;
        }
    }
    assert!(asked > 45, "{asked}");
}
