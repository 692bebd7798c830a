// Makes the calls that ../../matrix.py asks for with the AWS SDK for Go. ../README.md has the conversation.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	bedrock "github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	profile = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	echo    = "understudy.echo-v1:0"
	running = "arn:aws:bedrock:us-east-1:123456789012:async-invoke/aaaaaaaaaaa1"
)

func newClient(endpoint string, attempts int, header string) *bedrock.Client {
	settings, err := config.LoadDefaultConfig(context.Background(), config.WithRegion("us-east-1"),
		config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "")),
		config.WithRetryer(func() aws.Retryer {
			return retry.AddWithMaxAttempts(retry.NewStandard(), attempts)
		}))
	if err != nil {
		panic(err)
	}
	return bedrock.NewFromConfig(settings, func(options *bedrock.Options) {
		options.BaseEndpoint = aws.String(endpoint)
		if name, value, found := strings.Cut(header, "="); found {
			options.APIOptions = append(options.APIOptions, smithyhttp.AddHeaderValue(name, value))
		}
	})
}

func conversation(prompt string) []types.Message {
	return []types.Message{{Role: types.ConversationRoleUser,
		Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: prompt}}}}
}

func invocation(prompt string) []byte {
	body, _ := json.Marshal(map[string]any{"anthropic_version": "bedrock-2023-05-31", "max_tokens": 200,
		"messages": []any{map[string]any{"role": "user", "content": prompt}}})
	return body
}

func text(answer any) string {
	told, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	return string(told)
}

// told is what one call came to; ResultMetadata has nothing that text would show.
func told[Answer any](answer Answer, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return text(answer), nil
}

// The two kinds of event stream have this in common.
type stream[Event any] interface {
	Events() <-chan Event
	Close() error
	Err() error
}

func read[Event any](events stream[Event], leave bool) (string, error) {
	var all []string
	for event := range events.Events() {
		all = append(all, fmt.Sprintf("%T", event)+text(event))
		if leave {
			return "left", events.Close()
		}
	}
	events.Close()
	return strings.Join(all, " "), events.Err()
}

func guardrailChecks(prompt string) *bedrock.InvokeGuardrailChecksInput {
	content := []types.GuardrailChecksContentBlock{&types.GuardrailChecksContentBlockMemberText{Value: prompt}}
	hate := types.GuardrailChecksContentFilterCategoryConfig{Category: types.GuardrailChecksContentFilterCategoryHate}
	return &bedrock.InvokeGuardrailChecksInput{
		Messages: []types.GuardrailChecksMessage{{Role: types.GuardrailChecksRoleUser, Content: content}},
		Checks: &types.GuardrailChecksConfig{ContentFilter: &types.GuardrailChecksContentFilterConfig{
			Categories: []types.GuardrailChecksContentFilterCategoryConfig{hate}}}}
}

// bothWays sends each word only when the echo of the one before it is there.
func bothWays(ctx context.Context, client *bedrock.Client, words ...string) (string, error) {
	answer, err := client.InvokeModelWithBidirectionalStream(ctx,
		&bedrock.InvokeModelWithBidirectionalStreamInput{ModelId: aws.String(echo)})
	if err != nil {
		return "", err
	}
	stream := answer.GetStream()
	defer stream.Close()
	same := true
	for _, word := range words {
		sent := types.BidirectionalInputPayloadPart{Bytes: []byte(word)}
		if err := stream.Send(ctx, &types.InvokeModelWithBidirectionalStreamInputMemberChunk{Value: sent}); err != nil {
			return "", err
		}
		event, _ := (<-stream.Events()).(*types.InvokeModelWithBidirectionalStreamOutputMemberChunk)
		if event == nil {
			return "came back: false", stream.Err()
		}
		same = same && string(event.Value.Bytes) == word
	}
	if err := stream.Writer.Close(); err != nil {
		return "", err
	}
	for range stream.Events() {
		same = false // nothing was sent that this could be
	}
	return fmt.Sprintf("came back: %t", same), stream.Err()
}

func call(client *bedrock.Client, operation string, size, index int, leave bool) (string, error) {
	ctx, model := context.Background(), aws.String(profile)
	prompt := "Why is the sky blue?"
	prompt += strings.Repeat("x", max(0, size-len(prompt)))
	switch operation {
	case "Converse":
		return told(client.Converse(ctx, &bedrock.ConverseInput{ModelId: model, Messages: conversation(prompt)}))
	case "ConverseStream":
		answer, err := client.ConverseStream(ctx,
			&bedrock.ConverseStreamInput{ModelId: model, Messages: conversation(prompt)})
		if err != nil {
			return "", err
		}
		return read[types.ConverseStreamOutput](answer.GetStream(), leave)
	case "InvokeModel":
		answer, err := client.InvokeModel(ctx, &bedrock.InvokeModelInput{ModelId: model, Body: invocation(prompt)})
		if err != nil {
			return "", err
		}
		return string(answer.Body), nil
	case "InvokeModelWithResponseStream":
		answer, err := client.InvokeModelWithResponseStream(ctx,
			&bedrock.InvokeModelWithResponseStreamInput{ModelId: model, Body: invocation(prompt)})
		if err != nil {
			return "", err
		}
		return read[types.ResponseStream](answer.GetStream(), leave)
	case "CountTokens":
		return told(client.CountTokens(ctx, &bedrock.CountTokensInput{ModelId: model,
			Input: &types.CountTokensInputMemberConverse{
				Value: types.ConverseTokensRequest{Messages: conversation(prompt)}}}))
	case "ApplyGuardrail":
		return told(client.ApplyGuardrail(ctx, &bedrock.ApplyGuardrailInput{
			GuardrailIdentifier: aws.String("abcdefghij12"), GuardrailVersion: aws.String("DRAFT"),
			Source: types.GuardrailContentSourceInput, Content: []types.GuardrailContentBlock{
				&types.GuardrailContentBlockMemberText{Value: types.GuardrailTextBlock{Text: &prompt}}}}))
	case "InvokeGuardrailChecks":
		return told(client.InvokeGuardrailChecks(ctx, guardrailChecks(prompt)))
	case "StartAsyncInvoke":
		return told(client.StartAsyncInvoke(ctx, &bedrock.StartAsyncInvokeInput{
			ClientRequestToken: aws.String("one-token"), ModelId: aws.String("amazon.nova-reel-v1:0"),
			ModelInput: document.NewLazyDocument(map[string]any{"text": prompt}),
			OutputDataConfig: &types.AsyncInvokeOutputDataConfigMemberS3OutputDataConfig{
				Value: types.AsyncInvokeS3OutputDataConfig{S3Uri: aws.String("s3://example/output")}}}))
	case "GetAsyncInvoke":
		return told(client.GetAsyncInvoke(ctx, &bedrock.GetAsyncInvokeInput{InvocationArn: aws.String(running)}))
	case "ListAsyncInvokes":
		return told(client.ListAsyncInvokes(ctx, &bedrock.ListAsyncInvokesInput{
			StatusEquals: types.AsyncInvokeStatusCompleted, MaxResults: aws.Int32(1), SortOrder: types.SortOrderDescending,
			SubmitTimeAfter: aws.Time(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))}))
	case "InvokeModelWithBidirectionalStream":
		return bothWays(ctx, client, "one", strings.Repeat("x", size), "three")
	case "Echo":
		sent := bytes.Repeat([]byte{byte(index)}, size)
		answer, err := client.InvokeModel(ctx, &bedrock.InvokeModelInput{ModelId: aws.String(echo), Body: sent})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("came back: %t", bytes.Equal(sent, answer.Body)), nil
	}
	return "", errors.New("unknown operation " + operation)
}

func outcome(answer string, err error) string {
	if err == nil {
		return "answer " + answer
	}
	var modelled smithy.APIError
	class, message := fmt.Sprintf("%T", err), err.Error()
	if errors.As(err, &modelled) {
		class, message = fmt.Sprintf("%T", modelled), modelled.ErrorMessage()
	}
	return "error " + class + " " + strings.Join(strings.Fields(message), " ")
}

// version is that of the module in go.mod.
func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if strings.HasSuffix(module.Path, "/service/bedrockruntime") {
			return module.Version
		}
	}
	return "unknown"
}

func main() {
	fmt.Printf("aws-sdk-go-v2/service/bedrockruntime %s, %s\n", version(), runtime.Version())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		attempts, _ := strconv.Atoi(words[2])
		size, _ := strconv.Atoi(words[4])
		times, _ := strconv.Atoi(words[5])
		client := newClient(words[1], attempts, words[3])
		outcomes := make([]string, times)
		var calls sync.WaitGroup
		for i := range times {
			calls.Add(1)
			go func() {
				defer calls.Done()
				outcomes[i] = outcome(call(client, words[0], size, i, words[6] == "leave"))
			}()
		}
		calls.Wait()
		slices.Sort(outcomes)
		fmt.Println(strings.Join(slices.Compact(outcomes), " || "))
	}
}
