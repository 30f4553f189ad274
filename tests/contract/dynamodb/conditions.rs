//! Conditions: what they say, and what is answered when one does not hold.

use std::sync::Arc;

use aws_sdk_dynamodb::{
    operation::{delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError},
    types::ReturnValuesOnConditionCheckFailure as OnFailure,
};
use futures_util::future::join_all;

use super::{Table, item, map, number, text};
use crate::{
    aws::Aws,
    check::{code, refused},
    clause::{Clause, clause},
};

const REFUSED: &str = "ConditionalCheckFailedException";

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_put_if_absent_is_made_once_and_the_second_changes_nothing),
        clause!(a_refused_put_tells_what_is_there_to_who_asks),
        clause!(a_refused_update_tells_what_is_there_to_who_asks),
        clause!(a_refused_delete_tells_what_is_there_to_who_asks),
        clause!(a_condition_on_what_is_not_there_is_refused_without_an_item_and_makes_none),
        clause!(and_binds_closer_than_or),
        clause!(a_comparison_with_what_is_absent_or_of_another_type_does_not_hold),
        clause!(numbers_are_compared_as_numbers),
        clause!(a_condition_reaches_into_maps_and_finds_nothing_where_there_is_none),
        clause!(of_many_at_once_one_puts),
        clause!(updates_at_once_are_all_counted),
        clause!(a_delete_of_what_is_not_there_is_none),
        clause!(an_unknown_table_is_said_to_be),
    ]
}

async fn a_put_if_absent_is_made_once_and_the_second_changes_nothing(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let put =
        |n| table.put(item("a", [("n", number(n))])).condition_expression("attribute_not_exists(pk)").send();
    put(1).await.expect("is the first");
    let error = put(2).await.expect_err("is the second");
    assert_eq!(error.as_service_error().and_then(|error| error.meta().code()), Some(REFUSED));
    let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
        panic!("the SDK does not know it");
    };
    assert_eq!(refused.item(), None, "nobody asked for it");
    assert_eq!(table.item("a").await, Some(item("a", [("n", number(1))])));
}

async fn a_refused_put_tells_what_is_there_to_who_asks(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let there = item("a", [("n", number(1)), ("more", map([("b", text("c"))]))]);
    table.keep([there.clone()]).await;
    let put = table.put(item("a", [("n", number(2))])).condition_expression("attribute_not_exists(pk)");
    let error = put.return_values_on_condition_check_failure(OnFailure::AllOld).send().await;
    match error.expect_err("it is there").into_service_error() {
        PutItemError::ConditionalCheckFailedException(refused) => assert_eq!(refused.item, Some(there)),
        other => panic!("{other:?}"),
    }
}

async fn a_refused_update_tells_what_is_there_to_who_asks(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let there = item("a", [("n", number(1)), ("owner", text("me"))]);
    table.keep([there.clone()]).await;
    let update = table
        .update("a", "SET n = :n")
        .condition_expression("n = :read")
        .expression_attribute_values(":n", number(9))
        .expression_attribute_values(":read", number(2));
    let error = update.return_values_on_condition_check_failure(OnFailure::AllOld).send().await;
    match error.expect_err("it is another").into_service_error() {
        UpdateItemError::ConditionalCheckFailedException(refused) => {
            assert_eq!(refused.item.as_ref(), Some(&there));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(table.item("a").await, Some(there));
}

async fn a_refused_delete_tells_what_is_there_to_who_asks(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let there = item("a", [("n", number(1))]);
    table.keep([there.clone()]).await;
    let delete = table.delete("a").condition_expression("attribute_not_exists(n)");
    let error = delete.return_values_on_condition_check_failure(OnFailure::AllOld).send().await;
    match error.expect_err("it is there").into_service_error() {
        DeleteItemError::ConditionalCheckFailedException(refused) => {
            assert_eq!(refused.item.as_ref(), Some(&there));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(table.item("a").await, Some(there));
}

async fn a_condition_on_what_is_not_there_is_refused_without_an_item_and_makes_none(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let update = table
        .update("a", "SET n = :n")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_values(":n", number(9));
    let error = update.return_values_on_condition_check_failure(OnFailure::AllOld).send().await;
    match error.expect_err("it is not there").into_service_error() {
        UpdateItemError::ConditionalCheckFailedException(refused) => assert_eq!(refused.item, None),
        other => panic!("{other:?}"),
    }
    assert_eq!(table.item("a").await, None);
}

async fn and_binds_closer_than_or(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table
        .keep([item("sent", [("due", number(1)), ("sent", number(1))]), item("late", [("due", number(9))])])
        .await;
    let claim = |sk: &'static str| {
        table
            .update(sk, "SET claimed = :now")
            .condition_expression("attribute_not_exists(pk) OR attribute_not_exists(sent) AND due <= :now")
            .expression_attribute_values(":now", number(5))
            .send()
    };
    refused(claim("sent").await, REFUSED);
    refused(claim("late").await, REFUSED);
    claim("new").await.expect("there is none");
    table.keep([item("due", [("due", number(5))])]).await;
    claim("due").await.expect("it is due");
}

async fn a_comparison_with_what_is_absent_or_of_another_type_does_not_hold(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("a", [("n", text("5"))])]).await;
    for condition in ["absent <= :five", "absent = :five", "n = :five", "n <= :five", "n > :five"] {
        let update = table.update("a", "SET m = :five").condition_expression(condition);
        let answer = update.expression_attribute_values(":five", number(5)).send().await;
        assert_eq!(code(&answer).as_deref(), Some(REFUSED), "{condition}");
    }
}

async fn numbers_are_compared_as_numbers(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("a", [("n", number(9)), ("same", number("10.00"))])]).await;
    for condition in ["n < :ten", "same = :ten", "n <> :ten", "n < same"] {
        let mut update = table.update("a", "REMOVE absent").condition_expression(condition);
        if condition.contains(":ten") {
            update = update.expression_attribute_values(":ten", number(10));
        }
        assert_eq!(code(&update.send().await), None, "{condition}");
    }
}

async fn a_condition_reaches_into_maps_and_finds_nothing_where_there_is_none(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("a", [("life", map([("generation", number(3))]))])]).await;
    let check = |sk: &'static str, condition: &str| {
        table
            .update(sk, "SET seen = :three")
            .condition_expression(condition)
            .expression_attribute_values(":three", number(3))
            .send()
    };
    let stands = "life.generation = :three AND attribute_not_exists(life.removed_at)";
    check("a", stands).await.expect("it stands");
    refused(check("none", stands).await, REFUSED);
    check("none", &format!("attribute_not_exists(pk) OR ({stands})")).await.expect("there is none");
    refused(check("a", "attribute_not_exists(life.generation) AND seen = :three").await, REFUSED);
}

async fn of_many_at_once_one_puts(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let puts = (0..12).map(|n| {
        table.put(item("a", [("n", number(n))])).condition_expression("attribute_not_exists(pk)").send()
    });
    let answers: Vec<_> = join_all(puts).await.iter().map(code).collect();
    assert_eq!(answers.iter().filter(|code| code.is_none()).count(), 1, "{answers:?}");
    assert!(answers.iter().flatten().all(|code| code == REFUSED), "{answers:?}");
}

async fn updates_at_once_are_all_counted(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let adds = (0..40)
        .map(|_| table.update("a", "ADD n :one").expression_attribute_values(":one", number(1)).send());
    for answer in join_all(adds).await {
        answer.expect("is counted");
    }
    assert_eq!(table.item("a").await, Some(item("a", [("n", number(40))])));
}

async fn a_delete_of_what_is_not_there_is_none(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.delete("a").send().await.expect("is none");
    refused(table.delete("a").condition_expression("attribute_exists(pk)").send().await, REFUSED);
}

async fn an_unknown_table_is_said_to_be(aws: Arc<Aws>) {
    let table = Table { client: aws.dynamodb.clone(), name: aws.name() };
    refused(table.get("a").send().await, "ResourceNotFoundException");
    refused(table.put(item("a", [])).send().await, "ResourceNotFoundException");
    let query = table.query("pk = :pk").expression_attribute_values(":pk", text("p"));
    refused(query.send().await, "ResourceNotFoundException");
}
