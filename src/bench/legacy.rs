//! Records as an export of Elasticsearch has them, and the mapping by which they are read.

use super::bodies::user_id;

const PLANS: [&str; 3] = ["free", "team", "business"];
const CITIES: [&str; 5] = ["Berlin", "Lyon", "Porto", "Graz", "Leeds"];
/// 2024-03-05 as seconds; each record is a second later than the one before, and all are past.
const FIRST_SECOND: i64 = 1_709_596_800;

/// How the records are read: each section costs what it costs in a real one.
pub const MAPPING: &str = r#"preset = "elasticsearch"
[identities]
user_id = "record:/_id"
email = ["/email", "/mail"]
[time]
at = "/updated_at"
[traits]
drop = ["updated_at", "password_hash", "_*"]
rename = { fname = "first_name", lname = "last_name" }
types = { logins = "integer", balance = "decimal(2)", tags = "list" }
"#;

/// How rows with a schema beside them are read.
pub const ROWS_MAPPING: &str = r#"preset = "debezium"
[identities]
user_id = "/id"
email = "/email"
[time]
at = "/updated_at"
format = ["epoch_ms"]
[traits]
drop = ["id", "updated_at"]
"#;

/// What Kafka Connect wants beside each row, where no registry keeps it.
const SCHEMA: &str = r#"{"type":"struct","optional":false,"name":"person","fields":[{"field":"id","type":"string","optional":false},{"field":"email","type":"string","optional":true},{"field":"first_name","type":"string","optional":true},{"field":"last_name","type":"string","optional":true},{"field":"plan","type":"string","optional":true},{"field":"logins","type":"int32","optional":true},{"field":"balance","type":"string","optional":true},{"field":"city","type":"string","optional":true},{"field":"birthday","type":"string","optional":true},{"field":"locale","type":"string","optional":true},{"field":"newsletter","type":"boolean","optional":true},{"field":"company_name","type":"string","optional":true},{"field":"company_size","type":"int32","optional":true},{"field":"source","type":"string","optional":true},{"field":"updated_at","type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1}]}"#;

/// The traits that a record comes to, which the ideal client writes as they are.
pub fn traits(index: u64) -> String {
    let (plan, city) = (pick(&PLANS, index), pick(&CITIES, index));
    format!(
        r#"{{"balance":"{}.50","birthday":"1985-12-10","city":"{city}","company":{{"name":"Analytical Engines","size":42}},"email":"{}","first_name":"Ada","last_name":"Lovelace","locale":"de-DE","logins":{index},"newsletter":true,"plan":"{plan}","tags":["early","beta","vip"],"source":"shop"}}"#,
        index % 1_000,
        email(&new_name(index))
    )
}

/// The columns of `table_row`.
pub const TABLE_HEADER: &str =
    "user_id,email,first_name,last_name,plan,logins,balance,city,birthday,locale,newsletter,source";

/// Much the same as a row of a table, of a person who is new and in no topic.
pub fn table_row(index: u64) -> String {
    let (plan, city, balance) = (pick(&PLANS, index), pick(&CITIES, index), index % 1_000);
    format!(
        "table-{index:09},table-{index:09}@example.com,Ada,Lovelace,{plan},{index},{balance}.50,{city},1985-12-10,de-DE,true,shop"
    )
}

/// The key and the value of the record that states a person who is new.
pub fn new_person(index: u64) -> (String, String) {
    let name = new_name(index);
    let value = hit(&name, &format!(r#""email":"{}","#, email(&name)), index);
    (name, value)
}

/// The same person as a row with its schema.
pub fn new_row(index: u64) -> (String, String) {
    let name = new_name(index);
    let (plan, city, balance) = (pick(&PLANS, index), pick(&CITIES, index), index % 1_000);
    let (email, at) = (email(&name), time(index).as_millisecond());
    let value = format!(
        r#"{{"schema":{SCHEMA},"payload":{{"id":"{name}","email":"{email}","first_name":"Ada","last_name":"Lovelace","plan":"{plan}","logins":{index},"balance":"{balance}.50","city":"{city}","birthday":"1985-12-10","locale":"de-DE","newsletter":true,"company_name":"Analytical Engines","company_size":42,"source":"shop","updated_at":{at}}}}}"#
    );
    (name, value)
}

/// The same for a change of somebody of `people` whom the database has.
pub fn known_person(index: u64, people: u32) -> (String, String) {
    let name = user_id(rand::random_range(0..people));
    let value = hit(&name, "", index);
    (name, value)
}

fn hit(name: &str, email: &str, index: u64) -> String {
    let (plan, city) = (pick(&PLANS, index), pick(&CITIES, index));
    let (balance, at) = (index % 1_000, time(index));
    format!(
        r#"{{"_index":"people-2024","_id":"{name}","_version":{},"_score":null,"_source":{{{email}"fname":"Ada","lname":"Lovelace","plan":"{plan}","logins":"{index}","balance":"{balance}.5","city":"{city}","birthday":"1985-12-10","locale":"de-DE","newsletter":true,"tags":["early","beta","vip"],"company":{{"name":"Analytical Engines","size":42}},"source":"shop","password_hash":"$2b$12$C6UzMDM.H6dfI/f/IKcEeO7Zl0uJ6z7h","_ingest":"pipeline-7","updated_at":"{at}"}}}}"#,
        1 + index % 9
    )
}

fn pick(all: &[&'static str], index: u64) -> &'static str {
    all[(index % all.len() as u64) as usize]
}

fn new_name(index: u64) -> String {
    format!("legacy-{index:09}")
}

fn email(name: &str) -> String {
    format!("{name}@example.com")
}

fn time(index: u64) -> jiff::Timestamp {
    let second = FIRST_SECOND + (index % 50_000_000) as i64;
    jiff::Timestamp::from_second(second).expect("a time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_about_500_bytes_and_are_json() {
        for (key, value) in [new_person(7), known_person(7, 10)] {
            assert!((440..540).contains(&value.len()), "{}", value.len());
            let read: serde_json::Value = serde_json::from_str(&value).expect("JSON");
            assert_eq!(read["_id"], key);
        }
        serde_json::from_str::<serde_json::Value>(&traits(7)).expect("JSON");
        let commas = |text: &str| text.matches(',').count();
        assert_eq!(commas(TABLE_HEADER), commas(&table_row(7)));
    }
}
