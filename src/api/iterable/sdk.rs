//! What SDKs ask for when they start, and what partners ask to see whether a key works: true answers of a service that sends nothing.

/// Paths that are answered with the same document to everybody.
pub const FIXED: [(&str, &str); 6] = [
    // Offline: what an app could not send waits on the phone and is sent again.
    (
        "mobile/getRemoteConfiguration",
        r#"{"offlineMode":true,"autoRetry":true}"#,
    ),
    ("inApp/getMessages", r#"{"inAppMessages":[]}"#),
    ("inApp/web/getMessages", r#"{"inAppMessages":[]}"#),
    ("embedded-messaging/messages", r#"{"placements":[]}"#),
    ("users/getSentMessages", r#"{"messages":[]}"#),
    ("webhooks", r#"{"webhooks":[]}"#),
];
