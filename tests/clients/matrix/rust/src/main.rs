// Makes the calls that ../../matrix.py asks for with the AWS SDK for Rust. ../README.md has the conversation.

use aws_config::{retry::RetryConfig, BehaviorVersion, Region};
use aws_sdk_bedrockruntime::config::Credentials;
use aws_sdk_bedrockruntime::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, ConverseTokensRequest, CountTokensInput, Message};
use aws_sdk_bedrockruntime::Client;
use std::collections::BTreeSet;
use tokio::io::{AsyncBufReadExt, BufReader};

const PROFILE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const ECHO: &str = "understudy.echo-v1:0";

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

// Both operations that stream are called and read in the same words, but have types of their own. `header` goes onto every
// call, as any application would add one.
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
    ($stream:expr, $leave:expr) => {{
        let mut all = Vec::new();
        while let Some(event) = $stream.recv().await.map_err(told)? {
            all.push(format!("{event:?}"));
            if $leave {
                return Ok("left".to_string());
            }
        }
        Ok(all.join(" "))
    }};
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
            read!(answer.stream, leave)
        }
        "InvokeModel" => {
            let answer = send!(client.invoke_model().model_id(PROFILE).body(invocation(&prompt)), header)?;
            Ok(String::from_utf8_lossy(answer.body.as_ref()).into_owned())
        }
        "InvokeModelWithResponseStream" => {
            let request = client.invoke_model_with_response_stream().model_id(PROFILE).body(invocation(&prompt));
            let mut answer = send!(request, header)?;
            read!(answer.body, leave)
        }
        "CountTokens" => {
            let input = CountTokensInput::Converse(ConverseTokensRequest::builder().messages(message(&prompt)).build());
            let answer = send!(client.count_tokens().model_id(PROFILE).input(input), header)?;
            Ok(answer.input_tokens.to_string())
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
