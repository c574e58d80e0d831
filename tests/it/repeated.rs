//! Statements that were answered and whose answer was lost come again with what they were given: they find what they made.

use crate::harness::{Project, connect, shared, sql};
use roster::store::catalogue;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// The rows of a statement of the service that is run twice.
async fn twice(name: &str, params: &[&(dyn ToSql + Sync)]) -> [Vec<Row>; 2] {
    let client = connect(&shared().await.database_url).await;
    let catalogue = catalogue();
    let statement = catalogue.iter().find(|one| one.name == name);
    let prepared = client.prepare(statement.expect("it is there").sql).await;
    let prepared = prepared.expect("prepared");
    let first = client.query(&prepared, params).await.expect("run");
    let second = client.query(&prepared, params).await.expect("run again");
    [first, second]
}

async fn count(table: &str, project: &Project) -> Vec<String> {
    let rows = format!(
        "SELECT count(*) FROM {table} WHERE project_id = {}",
        project.id
    );
    sql(&shared().await.database_url, &rows).await
}

#[tokio::test]
async fn a_list_is_made_once_whether_its_number_is_drawn_or_said() {
    let project = Project::fresh().await;
    for said in [None, Some(7)] {
        let made_by = Uuid::new_v4();
        let (projects, ids, names) = ([project.id], [said], ["vip"]);
        let params: [&(dyn ToSql + Sync); 6] = [
            &projects.as_slice(),
            &ids.as_slice(),
            &names.as_slice(),
            &10_i64,
            &999_999_999,
            &made_by,
        ];
        let [first, second] = twice("create_list", &params).await;
        let number = |rows: &[Row]| rows.first().map(|row| row.get::<_, i32>(0));
        assert_eq!(number(&first), Some(said.unwrap_or(1)));
        assert_eq!(number(&second), number(&first));
    }
    assert_eq!(count("static_list", &project).await, ["2"]);
}

#[tokio::test]
async fn the_last_schedule_for_which_there_is_room_is_made_once() {
    let project = Project::fresh().await;
    let (id, due) = (Uuid::new_v4(), std::time::SystemTime::now());
    let params: [&(dyn ToSql + Sync); 10] = [
        &project.id,
        &id,
        &"0 3 * * *",
        &"UTC",
        &"https://example.com/people.csv",
        &None::<&str>,
        &"{}",
        &None::<&str>,
        &due,
        &1_i64,
    ];
    let [first, second] = twice("create_schedule", &params).await;
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(count("import_schedule", &project).await, ["1"]);
}
