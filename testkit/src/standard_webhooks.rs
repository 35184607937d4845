//! Checks a signature as the Standard Webhooks specification says, with nothing of the
//! program: `base64(HMAC-SHA256(secret, "<id>.<timestamp>.<body>"))`, `v1,` before it,
//! several of them separated by blanks while a secret rotates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::receiver::Delivery;

/// A secret in the form of the specification, `whsec_` and base64, made from a name.
pub fn secret(name: &str) -> String {
    format!("whsec_{}", STANDARD.encode(format!("{name:-<32}")))
}

/// The signature that `secret` gives.
pub fn sign(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("a base64 secret");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any key length is fine");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Whether one of the signatures of the delivery is that of `secret`.
pub fn is_signed_by(delivery: &Delivery, secret: &str) -> bool {
    let (Some(timestamp), Some(signatures)) =
        (delivery.header("webhook-timestamp"), delivery.header("webhook-signature"))
    else {
        return false;
    };
    let expected = sign(secret, delivery.webhook_id(), timestamp, &delivery.body);
    signatures.split(' ').any(|signature| signature == expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_example_of_the_published_libraries() {
        // From the test suites of the libraries themselves.
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
