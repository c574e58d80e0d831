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
fn by_hand(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>, is_signed: bool) -> String {
    let (header, claims) = (
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims),
    );
    let message = format!("{header}.{claims}");
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
                read(&by_hand(header, good.to_string(), is_signed)).is_err(),
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
    let nobody = read(&by_hand(head, format!(r#"{{"email":" ",{times}}}"#), true)).err();
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

/// A payload with a name and whatever claims.
fn with_claims(claims: &str) -> String {
    by_hand(
        r#"{"alg":"HS256","typ":"JWT"}"#,
        format!(r#"{{"userId":"u1",{claims}}}"#),
        true,
    )
}

#[test]
fn a_header_that_points_elsewhere_points_nowhere() {
    let good = claims(NOW, NOW + 600.0).to_string();
    // What stands there is ignored, and nothing is fetched: the key is the one that the secret is of.
    for header in [
        r#"{"alg":"HS256","kid":"../../../dev/null"}"#,
        r#"{"alg":"HS256","kid":"x' UNION SELECT 'k"}"#,
        r#"{"alg":"HS256","jku":"http://127.0.0.1:9/keys"}"#,
        r#"{"alg":"HS256","x5u":"http://127.0.0.1:9/chain"}"#,
        r#"{"alg":"HS256","zip":"DEF"}"#,
    ] {
        let taken = read(&by_hand(header, &good, true));
        assert!(taken.is_ok(), "{header}: {taken:?}");
        assert!(read(&by_hand(header, &good, false)).is_err(), "{header}");
    }
    let own = EncodingKey::from_secret(b"mine");
    let jwk = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"bWluZQ","alg":"HS256"}}"#;
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(jwk),
        URL_SAFE_NO_PAD.encode(&good)
    );
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &own, Algorithm::HS256);
    let forged = format!("{message}.{}", signature.expect("signed"));
    assert_eq!(read(&forged).err().as_deref(), Some("jwt is invalid"));
}

#[test]
fn other_algorithms_are_none_whoever_signed() {
    let good = claims(NOW, NOW + 600.0);
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let other = with_key(&Header::new(algorithm), &good, secret().as_bytes());
        assert_eq!(read(&other).err().as_deref(), Some("jwt is invalid"));
    }
    for name in [
        "none", "None", "nOnE", "hs256", "HS384", "RS256", "PS256", "ES256", "EdDSA", "", " HS256",
    ] {
        let header = json!({"alg": name, "typ": "JWT"}).to_string();
        for is_signed in [false, true] {
            let taken = read(&by_hand(&header, good.to_string(), is_signed));
            assert!(taken.is_err(), "{name:?} {is_signed}: {taken:?}");
        }
    }
    for header in [
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":null}"#,
        r#"{"alg":256}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        "[]",
        "null",
        "7",
    ] {
        let taken = read(&by_hand(header, good.to_string(), true));
        assert!(taken.is_err(), "{header}: {taken:?}");
    }
}

#[test]
fn every_bit_of_a_token_is_signed() {
    let good = token(&claims(NOW, NOW + 600.0));
    assert!(read(&good).is_ok());
    for place in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).expect("text");
        // The last letter has bits that nobody reads: a decoder refuses it where they are set.
        assert!(read(&changed).is_err(), "{place}: {changed}");
    }
    for end in 0..good.len() {
        assert!(read(&good[..end]).is_err(), "cut at {end}");
    }
    for more in [".", ".x", "=", "==", " x", "\u{0}", "A"] {
        assert!(read(&format!("{good}{more}")).is_err(), "{more:?}");
    }
}

#[test]
fn times_are_numbers_and_no_trick() {
    let later = NOW + 600.0;
    for good in [
        format!(r#""iat":{NOW},"exp":{later}"#),
        format!(r#""iat":{NOW}.25,"exp":{later}.75"#),
        format!(r#""iat":{NOW},"exp":{later},"nbf":{NOW}"#),
        format!(r#""iat":{NOW},"exp":{later},"nbf":null"#),
        r#""iat":1.704164645e9,"exp":1.7041652e9"#.to_owned(),
    ] {
        assert!(read(&with_claims(&good)).is_ok(), "{good}");
    }
    for bad in [
        format!(r#""iat":{NOW}"#),
        format!(r#""exp":{later}"#),
        format!(r#""iat":"{NOW}","exp":{later}"#),
        format!(r#""iat":{NOW},"exp":true"#),
        format!(r#""iat":{NOW},"exp":null"#),
        format!(r#""iat":{NOW},"exp":[{later}]"#),
        format!(r#""iat":{NOW},"exp":1e400"#),
        format!(r#""iat":-1e300,"exp":{later}"#),
        format!(r#""iat":{NOW},"exp":1e300"#),
        format!(r#""iat":{NOW},"exp":-1"#),
        format!(r#""iat":0,"exp":{later}"#),
        format!(r#""iat":{later},"exp":{NOW}"#),
        format!(r#""iat":{NOW},"exp":{later},"nbf":"soon""#),
        format!(r#""iat":{NOW},"exp":{later},"nbf":{later}"#),
        format!(r#""IAT":{NOW},"EXP":{later}"#),
        format!(r#""iat":{NOW},"exp":{later},"exp":{NOW}"#),
        format!(r#""iat":{NOW},"exp":{later},"iat":{NOW}"#),
    ] {
        assert!(read(&with_claims(&bad)).is_err(), "{bad}");
    }
}

#[test]
fn who_is_meant_is_one_text_each() {
    let times = format!(r#""iat":{NOW},"exp":{}"#, NOW + 600.0);
    let of = |who: &str| {
        read(&by_hand(
            r#"{"alg":"HS256"}"#,
            format!("{{{who},{times}}}"),
            true,
        ))
    };
    let both = of(r#""userId":"u1","email":" Ada@Example.com ""#).expect("good");
    assert_eq!(both.user_id.as_deref(), Some("u1"));
    assert_eq!(both.email.as_deref(), Some("ada@example.com"));
    let only = of(r#""userId":"u1","email":null"#).expect("good");
    assert_eq!((only.user_id.as_deref(), only.email), (Some("u1"), None));
    for bad in [
        r#""userId":7"#,
        r#""userId":["u1"]"#,
        r#""userId":{"$ne":""}"#,
        r#""userId":true"#,
        r#""userId":"u1","userId":"u2""#,
        r#""userId":"u1","email":["a@b.co"]"#,
        r#""userid":"u1""#,
        r#""sub":"u1""#,
        r#""userId":"""#,
        r#""userId":"  ","email":"""#,
    ] {
        assert!(of(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_token_has_at_most_eight_kibibytes() {
    let padded = |length: usize| {
        let claims =
            json!({"userId": "u1", "iat": NOW, "exp": NOW + 600.0, "pad": "x".repeat(length)});
        token(&claims)
    };
    let (mut most, mut least) = (0, MOST_BYTES);
    while least - most > 1 {
        let middle = most.midpoint(least);
        if padded(middle).len() <= MOST_BYTES {
            most = middle;
        } else {
            least = middle;
        }
    }
    assert!(read(&padded(most)).is_ok());
    let told = read(&padded(most + 2)).err();
    assert_eq!(told.as_deref(), Some("jwt format is invalid"));
    assert!(read(&padded(1 << 20)).is_err());
}

#[test]
fn what_looks_like_a_token_is_no_key() {
    assert!(looks_like_token(&token(&claims(NOW, NOW + 600.0))));
    for key in ["", "rk_write_abc", "eyJ", "eyJh.b", "a.b.c", "pk_eu.1.2"] {
        assert!(!looks_like_token(key), "{key}");
    }
}

#[test]
fn a_second_decides_at_each_edge() {
    let said = |claims: &str| read(&with_claims(claims)).err();
    let (expired, early) = (Some("jwt token is expired"), Some("invalid payload"));
    let of = |iat: f64, exp: f64| said(&format!(r#""iat":{},"exp":{}"#, NOW + iat, NOW + exp));
    assert_eq!(of(-600.0, 1.0), None);
    assert_eq!(of(-600.0, 0.0), None, "a clock that is a minute behind");
    assert_eq!(of(-600.0, -59.9), None);
    assert_eq!(of(-600.0, -60.0).as_deref(), expired);
    assert_eq!(of(0.0, 600.0), None);
    assert_eq!(of(5.0, 600.0), None, "a clock that is seconds ahead");
    assert_eq!(of(60.0, 600.0), None);
    assert_eq!(of(60.1, 600.0).as_deref(), early);
    assert_eq!(of(-30.0, -30.0), None);
    assert_eq!(of(0.0, -1.0).as_deref(), early, "it ends before it begins");
    let nbf = |at: f64| {
        said(&format!(
            r#""iat":{NOW},"exp":{},"nbf":{}"#,
            NOW + 600.0,
            NOW + at
        ))
    };
    assert_eq!(nbf(60.0), None);
    assert_eq!(nbf(60.1).as_deref(), early);
    let year = 366.0 * 86_400.0;
    assert_eq!(of(-10.0, year - 10.0), None);
    let too_far = Some("exp must be less than 1 year from iat");
    assert_eq!(of(-10.0, year - 9.0).as_deref(), too_far);
}

/// Signed by RSA, as of `NOW`, whose public key is below.
const BY_RSA: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJlbWFpbCI6ImFkYUBleGFtcGxlLmNvbSIsImlhdCI6MTcwNDE2NDY0NSwiZXhwIjoxNzA0MTY1MjQ1fQ.\
    mQKlfMD_O0KTdxrFDixCuiC40Rj87wMYpww20ND3pikRjInoGeifp5yD5Si_6XdYQtlPrQcpLHh0K5_zIa2q4c_rI7B8jVdTYH3G9h2rXPQGmY1QHHHpU0UPiRVM\
    QrsakyfjuTVJgE87CMmPgD4fQ2t3F71RGxMGWlz9Fnge1h_8XehLEYb0oUJJJgg5miDst4XHHdv0InRLXYGl-6OweTRg9P52ya2zxXFec2O2XVOFviy_EaEW1vvFDo\
    BzlOHL_RlZTGgz-AXoTKH53NSrzhOrKXEfn2irgCVX4jfbP1j5uumEjuGE8bQtX0DTsdKptRnYF9xb-1GOmcXxmcWAkw";
const RSA: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvCzs1haYAml4FGAiNNhW
555MobQG6te+/Wm26q1QNMKZpAXjHWs/HVr1HGpBE9qs+u2Sv+Y2850kC1Qnu2Qt
7Tg9poIX0F/0Kflw8BvgdKKsMu83Qair5OQi8rJWPkl4gRWiIej/2l3ELNfUHTch
2DGvjSEklyEUnYyvVTecAvCzY9HdwC+3hU5VqJ5MqGaaEHrigKT3kCJBbHF1IqM4
WvHArMtG74ZVonVzJF2FmjZIF3zw3E3Zba5AYID6NVHGgsYpAQY/DX54z3G9ybsY
ZjMNYIR9IvyLa7/BbAQFnMYU4tKDotLUOY8noZqDpNXlkbc1b+KT38088hT6ZKiL
tQIDAQAB
-----END PUBLIC KEY-----
";

const MODULUS: &str = "vCzs1haYAml4FGAiNNhW555MobQG6te-_Wm26q1QNMKZpAXjHWs_HVr1HGpBE9qs-u2Sv-Y2850kC1Qnu2Qt7Tg9poIX0F_0Kflw8BvgdKKsMu83Qair5OQi\
    8rJWPkl4gRWiIej_2l3ELNfUHTch2DGvjSEklyEUnYyvVTecAvCzY9HdwC-3hU5VqJ5MqGaaEHrigKT3kCJBbHF1IqM4WvHArMtG74ZVonVzJF2FmjZIF3zw\
    3E3Zba5AYID6NVHGgsYpAQY_DX54z3G9ybsYZjMNYIR9IvyLa7_BbAQFnMYU4tKDotLUOY8noZqDpNXlkbc1b-KT38088hT6ZKiLtQ";

#[test]
fn a_secret_that_looks_like_a_public_key_is_none() {
    let now = Timestamp::from_epoch(NOW).expect("a time");
    let secret = TokenSecret::new(RSA);
    let told = signer(BY_RSA, &secret, now).expect_err("by RSA");
    assert_eq!(told.to_string(), "JWT is invalid");
    // The library takes it for what it is: nothing but the algorithm is wrong with it.
    let mut validation = Validation::new(Algorithm::RS256);
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let key = DecodingKey::from_rsa_components(MODULUS, "AQAB").expect("a public key");
    assert!(decode::<Value>(BY_RSA, &key, &validation).is_ok());
}

#[test]
fn what_is_no_text_is_no_token() {
    let head = r#"{"alg":"HS256","typ":"JWT"}"#;
    let good = claims(NOW, NOW + 600.0).to_string();
    let mut no_utf8 = good.clone().into_bytes();
    no_utf8[10] = 0xff;
    assert!(read(&by_hand(head, &no_utf8, true)).is_err());
    assert!(read(&by_hand(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}", &good, true)).is_err());
    for claims in ["", "null", "[]", "7", "\"email\"", "{", "\u{feff}{}"] {
        assert!(read(&by_hand(head, claims, true)).is_err(), "{claims:?}");
    }
    let padded = |text: &str| base64::engine::general_purpose::URL_SAFE.encode(text);
    let standard = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let token = token(&claims(NOW, NOW + 600.0));
    let signature = token.rsplit('.').next().unwrap_or_default();
    for other in [
        format!("{}.{}.{signature}", padded(head), padded(&good)),
        format!("{}.{}.{signature}", standard(head), standard(&good)),
        format!(" {token}"),
        token.replace('.', ". "),
        token.replace('.', ".."),
        token.to_uppercase(),
    ] {
        assert!(read(&other).is_err(), "{other}");
    }
}
