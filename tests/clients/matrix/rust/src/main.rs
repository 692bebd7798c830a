// Makes the calls that ../../matrix.py asks for with the AWS SDK for Rust. ../README.md has the conversation.

use aws_config::{retry::RetryConfig, BehaviorVersion, Region};
use aws_sdk_bedrockruntime::config::Credentials;
use aws_sdk_bedrockruntime::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_bedrockruntime::primitives::{Blob, DateTime};
use aws_sdk_bedrockruntime::types::error::InvokeModelWithBidirectionalStreamInputError;
use aws_sdk_bedrockruntime::types as models;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, ConverseTokensRequest, CountTokensInput, Message};
use aws_sdk_bedrockruntime::Client;
use aws_smithy_types::Document;
use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

const PROFILE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const ECHO: &str = "understudy.echo-v1:0";
const INVOCATION: &str = "arn:aws:bedrock:us-east-1:123456789012:async-invoke/aaaaaaaaaaa1";

// The first word of an error is its name, as the service gave it.
fn told<E: ProvideErrorMetadata + std::error::Error>(problem: E) -> String {
    match problem.code() {
        Some(code) => format!("{code} {}", problem.message().unwrap_or("")),
        None => format!("SdkError {}", DisplayErrorContext(&problem)),
    }
}

fn message(prompt: &str) -> Message {
    let content = ContentBlock::Text(prompt.to_string());
    Message::builder().role(ConversationRole::User).content(content).build().unwrap()
}

fn invocation(prompt: &str) -> Blob {
    Blob::new(format!(
        "{{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":200,\
         \"messages\":[{{\"role\":\"user\",\"content\":\"{prompt}\"}}]}}"
    ))
}

// Both operations that stream are called and read in the same words, but have types of their own; `show` makes text of an
// event. `header` goes onto every call, as any application would add one.
macro_rules! send {
    ($call:expr, $header:expr) => {{
        let header = $header.clone();
        $call.customize().mutate_request(move |request| {
            if let Some((name, value)) = header.clone() {
                request.headers_mut().insert(name, value);
            }
        }).send().await.map_err(told)
    }};
}

macro_rules! read {
    ($stream:expr, $show:expr, $leave:expr) => {{
        let mut all = Vec::new();
        while let Some(event) = $stream.recv().await.map_err(told)? {
            all.push($show(event));
            if $leave {
                return Ok("left".to_string());
            }
        }
        Ok(all.join(" "))
    }};
}

type BothWaysEvent = Result<models::InvokeModelWithBidirectionalStreamInput, InvokeModelWithBidirectionalStreamInputError>;

// The words of a stream that is still open, as the SDK takes them.
struct Words(mpsc::Receiver<Vec<u8>>);

impl futures_core::Stream for Words {
    type Item = BothWaysEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<BothWaysEvent>> {
        self.0.poll_recv(context).map(|word| {
            let part = models::BidirectionalInputPayloadPart::builder().bytes(Blob::new(word?)).build();
            Some(Ok(models::InvokeModelWithBidirectionalStreamInput::Chunk(part)))
        })
    }
}

// Sends each word only when the echo of the one before it is there.
async fn both_ways(client: Client, header: Option<(String, String)>, words: [Vec<u8>; 3]) -> Result<String, String> {
    let (sender, receiver) = mpsc::channel(1);
    sender.send(words[0].clone()).await.unwrap();
    let request = client.invoke_model_with_bidirectional_stream().model_id(ECHO).body(Words(receiver).into());
    let mut answer = send!(request, header)?;
    let mut sender = Some(sender);
    let mut echoed = Vec::new();
    while let Some(event) = answer.body.recv().await.map_err(told)? {
        echoed.push(event.as_chunk().ok().and_then(|part| part.bytes.clone()).map(Blob::into_inner).unwrap_or_default());
        match (words.get(echoed.len()), &sender) {
            (Some(word), Some(open)) => open.send(word.clone()).await.map_err(|_| "SdkError it stopped listening")?,
            _ => drop(sender.take()),
        }
    }
    Ok(format!("came back: {}", echoed == words))
}

async fn call(client: Client, header: Option<(String, String)>, operation: &str, size: usize, index: usize,
              leave: bool) -> Result<String, String> {
    let mut prompt = "Why is the sky blue?".to_string();
    prompt.push_str(&"x".repeat(size.saturating_sub(prompt.len())));
    match operation {
        "Converse" => {
            let answer = send!(client.converse().model_id(PROFILE).messages(message(&prompt)), header)?;
            Ok(format!("{:?} {:?} {:?}", answer.output, answer.stop_reason, answer.usage))
        }
        "ConverseStream" => {
            let mut answer = send!(client.converse_stream().model_id(PROFILE).messages(message(&prompt)), header)?;
            read!(answer.stream, |event| format!("{event:?}"), leave)
        }
        "InvokeModel" => {
            let answer = send!(client.invoke_model().model_id(PROFILE).body(invocation(&prompt)), header)?;
            Ok(String::from_utf8_lossy(answer.body.as_ref()).into_owned())
        }
        "InvokeModelWithResponseStream" => {
            let request = client.invoke_model_with_response_stream().model_id(PROFILE).body(invocation(&prompt));
            let mut answer = send!(request, header)?;
            // Its Debug keeps the bytes to itself.
            let bytes = |event: models::ResponseStream| event.as_chunk().ok().and_then(|part| part.bytes.clone());
            read!(answer.body, |event| String::from_utf8_lossy(bytes(event).unwrap().as_ref()).into_owned(), leave)
        }
        "CountTokens" => {
            let input = CountTokensInput::Converse(ConverseTokensRequest::builder().messages(message(&prompt)).build());
            let answer = send!(client.count_tokens().model_id(PROFILE).input(input), header)?;
            Ok(answer.input_tokens.to_string())
        }
        "ApplyGuardrail" => {
            let text = models::GuardrailTextBlock::builder().text(&prompt).build().unwrap();
            let request = client.apply_guardrail().guardrail_identifier("abcdefghij12").guardrail_version("DRAFT")
                .source(models::GuardrailContentSource::Input).content(models::GuardrailContentBlock::Text(text));
            let answer = send!(request, header)?;
            Ok(format!("{:?} {:?} {:?}", answer.action, answer.usage, answer.guardrail_coverage))
        }
        "InvokeGuardrailChecks" => {
            let content = models::GuardrailChecksContentBlock::Text(prompt);
            let asked = models::GuardrailChecksMessage::builder().role(models::GuardrailChecksRole::User).content(content);
            let hate = models::GuardrailChecksContentFilterCategoryConfig::builder()
                .category(models::GuardrailChecksContentFilterCategory::Hate).build().unwrap();
            let filter = models::GuardrailChecksContentFilterConfig::builder().categories(hate).build().unwrap();
            let checks = models::GuardrailChecksConfig::builder().content_filter(filter).build();
            let answer = send!(client.invoke_guardrail_checks().messages(asked.build().unwrap()).checks(checks), header)?;
            Ok(format!("{:?} {:?}", answer.results, answer.usage))
        }
        "StartAsyncInvoke" => {
            let input = Document::Object(HashMap::from([("text".to_string(), Document::String(prompt))]));
            let output = models::AsyncInvokeS3OutputDataConfig::builder().s3_uri("s3://example/output").build().unwrap();
            let request = client.start_async_invoke().client_request_token("one-token").model_id("amazon.nova-reel-v1:0")
                .model_input(input).output_data_config(models::AsyncInvokeOutputDataConfig::S3OutputDataConfig(output));
            Ok(send!(request, header)?.invocation_arn)
        }
        "GetAsyncInvoke" => {
            let answer = send!(client.get_async_invoke().invocation_arn(INVOCATION), header)?;
            Ok(format!("{} {} {:?} {:?} {:?}", answer.invocation_arn, answer.model_arn, answer.status, answer.submit_time,
                       answer.output_data_config))
        }
        "ListAsyncInvokes" => {
            let request = client.list_async_invokes().status_equals(models::AsyncInvokeStatus::Completed).max_results(1)
                .sort_order(models::SortOrder::Descending).submit_time_after(DateTime::from_secs(1_704_067_200));
            let answer = send!(request, header)?;
            let told = answer.async_invoke_summaries().iter()
                .map(|each| format!("{} {:?} {:?}", each.invocation_arn, each.status, each.submit_time));
            Ok(format!("{} {:?}", told.collect::<Vec<_>>().join(" "), answer.next_token))
        }
        "InvokeModelWithBidirectionalStream" => {
            both_ways(client, header, [b"one".to_vec(), vec![index as u8; size], b"three".to_vec()]).await
        }
        "Echo" => {
            let sent = vec![index as u8; size];
            let answer = send!(client.invoke_model().model_id(ECHO).body(Blob::new(sent.clone())), header)?;
            Ok(format!("came back: {}", answer.body.as_ref() == sent))
        }
        unknown => Err(format!("UnknownOperation {unknown}")),
    }
}

#[tokio::main]
async fn main() {
    let lock = include_str!("../Cargo.lock");
    let version = lock.split("name = \"aws-sdk-bedrockruntime\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    println!("aws-sdk-bedrockruntime {}", version.unwrap_or("unknown"));
    let credentials = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "matrix");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let words: Vec<String> = line.split(' ').map(str::to_string).collect();
        let settings = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials.clone())
            .endpoint_url(&words[1])
            .retry_config(RetryConfig::standard().with_max_attempts(words[2].parse().unwrap()))
            .load()
            .await;
        let client = Client::new(&settings);
        let header = words[3].split_once('=').map(|(name, value)| (name.to_string(), value.to_string()));
        let calls: Vec<_> = (0..words[5].parse().unwrap())
            .map(|index| {
                let (client, header, words) = (client.clone(), header.clone(), words.clone());
                tokio::spawn(async move {
                    call(client, header, &words[0], words[4].parse().unwrap(), index, words[6] == "leave").await
                })
            })
            .collect();
        let mut outcomes = BTreeSet::new();
        for each in calls {
            let line = match each.await.unwrap() {
                Ok(answer) => format!("answer {answer}"),
                Err(problem) => format!("error {problem}"),
            };
            outcomes.insert(line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        println!("{}", outcomes.into_iter().collect::<Vec<_>>().join(" || "));
    }
}
