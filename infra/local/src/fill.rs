//! Makes in the box what the template has and the box has not: on new data everything, on older data what was added
//! since.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    aws::AwsBox,
    system::SystemError,
    template::{GeneratedSecret, Stack},
};

/// Makes the tables, indexes, queues, buses, rules and secrets of the template, as far as they are not there yet.
pub(crate) async fn fill(aws: &AwsBox, stack: &Stack) -> Result<(), SystemError> {
    for (table, expiry) in &stack.tables {
        make(aws, "DynamoDB_20120810.CreateTable", table, &["ResourceInUseException"]).await?;
        add_indexes(aws, table).await?;
        if let Some(attribute) = expiry {
            let expiry = json!({
                "TableName": table["TableName"],
                "TimeToLiveSpecification": {"Enabled": true, "AttributeName": attribute},
            });
            make(aws, "DynamoDB_20120810.UpdateTimeToLive", &expiry, &["ValidationException"]).await?;
        }
    }
    for (name, attributes) in &stack.queues {
        let queue = json!({"QueueName": name, "Attributes": attributes});
        make(aws, "AmazonSQS.CreateQueue", &queue, &["QueueAlreadyExists", "QueueNameExists"]).await?;
        let url = format!("http://aws.box.localhost/{name}");
        make(aws, "AmazonSQS.SetQueueAttributes", &json!({"QueueUrl": url, "Attributes": attributes}), &[])
            .await?;
    }
    for name in &stack.buses {
        make(aws, "AWSEvents.CreateEventBus", &json!({"Name": name}), &["ResourceAlreadyExistsException"])
            .await?;
    }
    for (rule, targets) in &stack.rules {
        make(aws, "AWSEvents.PutRule", rule, &[]).await?;
        make(aws, "AWSEvents.PutTargets", targets, &[]).await?;
    }
    for (name, generated) in &stack.secrets {
        let value = generate(aws, generated).await?;
        make_secret(aws, name, &value).await?;
    }
    Ok(())
}

/// Makes a secret, unless it is there already.
pub(crate) async fn make_secret(aws: &AwsBox, name: &str, value: &str) -> Result<(), SystemError> {
    let secret = json!({"Name": name, "SecretString": value});
    make(aws, "secretsmanager.CreateSecret", &secret, &["ResourceExistsException"]).await.map(drop)
}

/// Makes the value of a secret, as CloudFormation does.
async fn generate(aws: &AwsBox, generated: &GeneratedSecret) -> Result<String, SystemError> {
    let request = json!({
        "PasswordLength": generated.password_length,
        "ExcludePunctuation": generated.exclude_punctuation,
    });
    let made = make(aws, "secretsmanager.GetRandomPassword", &request, &[]).await?;
    let mut value: Value = serde_json::from_str(&generated.secret_string_template).map_err(|error| {
        SystemError::Fill { operation: "SecretStringTemplate".to_owned(), answer: error.to_string() }
    })?;
    value[&generated.generate_string_key] = made["RandomPassword"].clone();
    Ok(value.to_string())
}

/// Makes the indexes that a table of an older template lacks, with the items that are in the table: one at a time, as
/// on AWS.
async fn add_indexes(aws: &AwsBox, table: &Value) -> Result<(), SystemError> {
    let Some(indexes) = table["GlobalSecondaryIndexes"].as_array() else { return Ok(()) };
    let name = &table["TableName"];
    let described = make(aws, "DynamoDB_20120810.DescribeTable", &json!({"TableName": name}), &[]).await?;
    let present = described["Table"]["GlobalSecondaryIndexes"].as_array();
    let is_there =
        |index: &Value| present.into_iter().flatten().any(|it| it["IndexName"] == index["IndexName"]);
    for index in indexes.iter().filter(|index| !is_there(index)) {
        let keys: Vec<_> =
            index["KeySchema"].as_array().into_iter().flatten().map(|key| &key["AttributeName"]).collect();
        let attributes = table["AttributeDefinitions"].as_array().into_iter().flatten();
        let attributes: Vec<_> =
            attributes.filter(|attribute| keys.contains(&&attribute["AttributeName"])).collect();
        let update = json!({
            "TableName": name,
            "AttributeDefinitions": attributes,
            "GlobalSecondaryIndexUpdates": [{"Create": index}],
        });
        make(aws, "DynamoDB_20120810.UpdateTable", &update, &[]).await?;
    }
    Ok(())
}

/// Makes a call; an error whose name is `accepted` says that what it makes is there already.
async fn make(aws: &AwsBox, target: &str, request: &Value, accepted: &[&str]) -> Result<Value, SystemError> {
    let answer = aws.call(target, Bytes::from(request.to_string())).await;
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status == 200 || accepted.iter().any(|name| text.contains(name)) {
        // Some operations answer with nothing.
        return Ok(serde_json::from_str(&text).unwrap_or_default());
    }
    Err(SystemError::Fill { operation: target.to_owned(), answer: text.into_owned() })
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use knockback::{
        clock::{SystemEntropy, VirtualClock},
        domain::Timestamp,
    };

    use super::*;

    const TABLE: &str = "
Resources:
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - { AttributeName: pk, AttributeType: S }
        - { AttributeName: color, AttributeType: S }
        - { AttributeName: size, AttributeType: N }
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
";

    const INDEXES: &str = "
      GlobalSecondaryIndexes:
        - IndexName: by_color
          KeySchema: [{ AttributeName: color, KeyType: HASH }, { AttributeName: size, KeyType: RANGE }]
          Projection: { ProjectionType: ALL }
        - IndexName: by_size
          KeySchema: [{ AttributeName: size, KeyType: HASH }]
          Projection: { ProjectionType: KEYS_ONLY }
";

    async fn filled(folder: &Path, template: &str) -> AwsBox {
        let clock = VirtualClock::new(Timestamp::from_ms(1_800_000_000_000));
        let aws = AwsBox::open(Some(folder), Arc::new(clock), Arc::new(SystemEntropy)).expect("a box");
        fill(&aws, &Stack::read(template).expect("a template")).await.expect("is filled");
        aws
    }

    async fn keys_in(aws: &AwsBox, index: &str) -> Vec<String> {
        let scan = json!({"TableName": "Things", "IndexName": index});
        let found = make(aws, "DynamoDB_20120810.Scan", &scan, &[]).await.expect("a scan");
        let items = found["Items"].as_array().expect("items");
        let mut keys: Vec<_> = items.iter().map(|item| item["pk"]["S"].to_string()).collect();
        keys.sort();
        keys
    }

    #[tokio::test]
    async fn an_index_that_an_older_data_folder_lacks_is_made_and_finds_the_items() {
        let folder = tempfile::tempdir().expect("a folder");
        let older = TABLE.replace("        - { AttributeName: color, AttributeType: S }\n", "");
        let older = older.replace("        - { AttributeName: size, AttributeType: N }\n", "");
        let aws = filled(folder.path(), &older).await;
        for (pk, color) in
            [("1", json!({"S": "red"})), ("2", json!({"S": "blue"})), ("3", json!({"NULL": true}))]
        {
            let item = json!({"pk": {"S": pk}, "color": color, "size": {"N": pk}});
            let put = json!({"TableName": "Things", "Item": item});
            make(&aws, "DynamoDB_20120810.PutItem", &put, &[]).await.expect("is put");
        }
        drop(aws);
        for _ in 0..2 {
            let aws = filled(folder.path(), &format!("{TABLE}{}", INDEXES.trim_start_matches('\n'))).await;
            assert_eq!(keys_in(&aws, "by_color").await, [r#""1""#, r#""2""#]);
            assert_eq!(keys_in(&aws, "by_size").await, [r#""1""#, r#""2""#, r#""3""#]);
        }
        // The index stays if an older version runs in between.
        let aws = filled(folder.path(), &older).await;
        assert_eq!(keys_in(&aws, "by_color").await, [r#""1""#, r#""2""#]);
    }
}
