//! What a service says when it refuses, fit to be shown: short, one line, without a secret.

use serde_json::Value;

use super::secret::Secret;

/// Characters of a service's words that are quoted.
const SAID_MAX_CHARS: usize = 300;

/// What must not be shown, whatever a service repeats of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Hidden {
    secrets: Vec<Secret>,
}

impl Hidden {
    /// Hides `secret`, and the form in which an address or a form would carry it.
    pub(super) fn add(&mut self, secret: &Secret) {
        let text = secret.reveal();
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        for form in [text.to_owned(), encoded.replace('+', "%20"), encoded] {
            let form = Secret::new(form);
            if !text.is_empty() && !self.secrets.contains(&form) {
                self.secrets.push(form);
            }
        }
    }

    pub(super) fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            clean = clean.replace(secret.reveal(), "[secret]");
        }
        clean
    }

    /// The words of an answer that refuses, after a colon; nothing where it has none.
    pub(super) fn said(&self, body: &[u8]) -> String {
        let words = serde_json::from_slice::<Value>(body)
            .ok()
            .and_then(|value| words(&value))
            .unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        self.quoted(&words)
    }

    /// Words of a service, after a colon.
    pub(super) fn quoted(&self, words: &str) -> String {
        let line = self.clean(words).split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = line.chars().filter(|letter| !letter.is_control()).take(SAID_MAX_CHARS).collect();
        if short.is_empty() { String::new() } else { format!(": {short}") }
    }
}

/// The sentence in the forms that Graph, Partner Center and the identity platform give it.
fn words(value: &Value) -> Option<String> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(said) = text(value, "error_description") {
        return Some(said);
    }
    let error = value.get("error").filter(|error| error.is_object()).unwrap_or(value);
    let message = text(error, "message").or_else(|| text(error, "description"));
    match (text(error, "code"), message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => message.or(code).or_else(|| text(value, "error")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_short_one_line_and_without_secrets() {
        let mut hidden = Hidden::default();
        hidden.add(&Secret::new("s3 cret+/"));
        hidden.add(&Secret::new(""));
        for (body, wanted) in [
            (r#"{"error":{"code":"Denied","message":"no s3 cret+/ here"}}"#, ": Denied: no [secret] here"),
            (r#"{"error":"invalid_client","error_description":"AADSTS7000215:\r\n s3+cret%2B%2F"}"#, ": AADSTS7000215: [secret]"),
            (r#"{"code":900,"description":"partner"}"#, ": partner"),
            (r#"{"error":"invalid_client"}"#, ": invalid_client"),
            ("<html>\u{1b}[31m s3%20cret%2B%2F</html>", ": <html>[31m [secret]</html>"),
            ("", ""),
            ("{}", ": {}"),
        ] {
            assert_eq!(hidden.said(body.as_bytes()), wanted, "{body}");
        }
        assert_eq!(hidden.said("x".repeat(9_999).as_bytes()).len(), 2 + SAID_MAX_CHARS);
    }
}
