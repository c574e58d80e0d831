use super::*;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

const NOW: f64 = 1_704_164_645.0;

fn secret() -> TokenSecret {
    TokenSecret::new("0123456789abcdef")
}

fn read(token: &str) -> Result<Signer, String> {
    let now = Timestamp::from_epoch(NOW).expect("a time");
    signer(token, &secret(), now).map_err(|fault| fault.to_string().to_lowercase())
}

fn with_key(header: &Header, claims: &Value, key: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(key)).expect("encoded")
}

fn token(claims: &Value) -> String {
    with_key(&Header::default(), claims, secret().as_bytes())
}

/// A token of parts as they stand, signed or not.
fn by_hand(header: &str, claims: &str, is_signed: bool) -> String {
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let key = EncodingKey::from_secret(secret().as_bytes());
    let signature = match is_signed {
        true => jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256),
        false => Ok(String::new()),
    };
    format!("{message}.{}", signature.expect("signed"))
}

fn claims(iat: f64, exp: f64) -> Value {
    json!({"email": "Ada@Example.com", "iat": iat, "exp": exp})
}

#[test]
fn a_good_token_names_somebody() {
    let ada = read(&token(&claims(NOW, NOW + 600.0))).expect("good");
    assert_eq!(ada.email.as_deref(), Some("ada@example.com"));
    let whole = json!({"userId": "u1", "iat": NOW as i64, "exp": NOW as i64 + 600, "aud": "x", "iss": "y", "extra": [1]});
    let header = Header {
        kid: Some("../../etc/passwd".to_owned()),
        ..Header::default()
    };
    let user = read(&with_key(&header, &whole, secret().as_bytes())).expect("good");
    assert_eq!(user.user_id.as_deref(), Some("u1"));
}

#[test]
fn times_are_held_at_their_edges() {
    let said = |iat: f64, exp: f64| read(&token(&claims(iat, exp))).err();
    assert_eq!(said(NOW - 600.0, NOW - 59.0), None);
    assert_eq!(
        said(NOW - 600.0, NOW - 61.0).as_deref(),
        Some("jwt token is expired")
    );
    assert_eq!(said(NOW + 59.0, NOW + 600.0), None);
    assert_eq!(
        said(NOW + 61.0, NOW + 600.0).as_deref(),
        Some("invalid payload")
    );
    assert_eq!(said(NOW, NOW + 366.0 * 86_400.0), None);
    let too_far = Some("exp must be less than 1 year from iat");
    assert_eq!(said(NOW, NOW + 367.0 * 86_400.0).as_deref(), too_far);
    // In milliseconds, one or both.
    assert_eq!(said(NOW, NOW * 1e3).as_deref(), too_far);
    assert_eq!(
        said(NOW * 1e3, NOW * 1e3 + 1.0).as_deref(),
        Some("invalid payload")
    );
    let early = json!({"email": "a@b.co", "iat": NOW, "exp": NOW + 600.0, "nbf": NOW + 120.0});
    assert_eq!(
        read(&token(&early)).err().as_deref(),
        Some("invalid payload")
    );
}

#[test]
fn nothing_but_hs256_by_the_right_key_is_signed() {
    let good = claims(NOW, NOW + 600.0);
    let invalid = Some("jwt is invalid");
    let other = with_key(&Header::default(), &good, b"another key");
    assert_eq!(read(&other).err().as_deref(), invalid);
    let longer = with_key(&Header::new(Algorithm::HS512), &good, secret().as_bytes());
    assert_eq!(read(&longer).err().as_deref(), invalid);
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"RS256"}"#,
        "{}",
    ] {
        for is_signed in [false, true] {
            assert!(
                read(&by_hand(header, &good.to_string(), is_signed)).is_err(),
                "{header}"
            );
        }
    }
    let mut parts: Vec<String> = token(&good).split('.').map(str::to_owned).collect();
    parts[1] = URL_SAFE_NO_PAD.encode(claims(NOW, NOW + 1_200.0).to_string());
    assert_eq!(read(&parts.join(".")).err().as_deref(), invalid);
}

#[test]
fn odd_payloads_are_told_and_never_taken() {
    let head = r#"{"alg":"HS256","typ":"JWT"}"#;
    let times = format!(r#""iat":{NOW},"exp":{}"#, NOW + 600.0);
    for payload in [
        format!(r#"{{"email":"a@b.co","email":"c@d.co",{times}}}"#),
        format!(r#"{{"email":7,{times}}}"#),
        format!(r#"{{"email":"a@b.co","iat":{NOW}}}"#),
        format!(
            r#"{{"email":"a@b.co","iat":{NOW},"exp":"{}"}}"#,
            NOW + 600.0
        ),
    ] {
        let refused = read(&by_hand(head, &payload, true)).err();
        assert_eq!(refused.as_deref(), Some("invalid payload"), "{payload}");
    }
    let nobody = read(&by_hand(head, &format!(r#"{{"email":" ",{times}}}"#), true)).err();
    assert_eq!(
        nobody.as_deref(),
        Some("jwt payload requires a value for userid or email")
    );
    let crit = r#"{"alg":"HS256","crit":["exp"]}"#;
    let good = format!(r#"{{"email":"a@b.co",{times}}}"#);
    let twice = format!(r#"{{"email":"a@b.co",{times},"exp":1}}"#);
    let mut odd = vec![
        by_hand(crit, &good, true),
        by_hand(head, &twice, true),
        String::new(),
        "a.b".into(),
        "a.b.c.d".into(),
        "..".into(),
    ];
    odd.push(format!("{}=", token(&claims(NOW, NOW + 600.0))));
    odd.push("x".repeat(MOST_BYTES + 1));
    for odd in odd {
        assert!(read(&odd).is_err(), "{odd}");
    }
}
