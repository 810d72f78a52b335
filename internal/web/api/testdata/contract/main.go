// Command contract checks the API against its document from outside: the document is
// one of OpenAPI 3.1, all exchanges that a test recorded are as it says, and a client
// that is generated of it works. What is wrong it prints.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// An exchange is a request and its answer, as the test recorded them.
type exchange struct {
	Method, URL  string
	Header       http.Header
	Body         string
	Status       int
	AnswerHeader http.Header
	Answer       string
	Good         bool // the request is as the document says
}

func main() {
	document := flag.String("document", "", "the document")
	exchanges := flag.String("exchanges", "", "file with a recorded exchange in each line")
	url := flag.String("url", "", "address of the API")
	key := flag.String("key", "", "a key of it, with all scopes")
	flag.Parse()
	doc := load(*document)
	must(doc.Validate(context.Background(), openapi3.EnableSchemaFormatValidation(), openapi3.EnableSchemaPatternValidation(), openapi3.EnableExamplesValidation()))
	if !doc.IsOpenAPI31OrLater() {
		report("the document", fmt.Errorf("it is of OpenAPI %s", doc.OpenAPI))
	}
	router, strict := routes(doc), load(*document)
	closeSchemas(strict)
	answers := routes(strict)
	file, err := os.Open(*exchanges)
	must(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e exchange
		must(json.Unmarshal(lines.Bytes(), &e))
		check(router, answers, e)
	}
	must(lines.Err())
	use(*url, *key)
	if failed {
		os.Exit(1)
	}
}

func load(path string) *openapi3.T {
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	must(err)
	return doc
}

func routes(doc *openapi3.T) routers.Router {
	r, err := gorillamux.NewRouter(doc)
	must(err)
	return r
}

// closeSchemas lets an object have no member that the document lacks: an answer may get
// further ones, and then the document has to say so.
func closeSchemas(doc *openapi3.T) {
	seen := map[*openapi3.Schema]bool{}
	var shut func(*openapi3.SchemaRef)
	shut = func(ref *openapi3.SchemaRef) {
		if ref == nil || ref.Value == nil || seen[ref.Value] {
			return
		}
		s := ref.Value
		seen[s] = true
		if no := false; len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
			s.AdditionalProperties.Has = &no
		}
		for _, p := range s.Properties {
			shut(p)
		}
		shut(s.Items)
		shut(s.AdditionalProperties.Schema)
	}
	for _, s := range doc.Components.Schemas {
		shut(s)
	}
	for _, item := range doc.Paths.Map() {
		for _, o := range item.Operations() {
			for _, answer := range o.Responses.Map() {
				for _, media := range answer.Value.Content {
					shut(media.Schema)
				}
			}
		}
	}
}

// check tells whether an exchange is as the document says.
func check(router, answers routers.Router, e exchange) {
	what := fmt.Sprintf("%s %s: %d", e.Method, e.URL, e.Status)
	input := func(r routers.Router) (*openapi3filter.RequestValidationInput, error) {
		q, err := http.NewRequest(e.Method, e.URL, bytes.NewReader([]byte(e.Body)))
		must(err)
		q.Header = e.Header.Clone()
		route, values, err := r.FindRoute(q)
		return &openapi3filter.RequestValidationInput{
			Request: q, PathParams: values, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true},
		}, err
	}
	in, err := input(router)
	if err != nil {
		report(what, err)
		return
	}
	if e.Good {
		report(what+": the request", openapi3filter.ValidateRequest(context.Background(), in))
	}
	out, err := input(answers)
	must(err)
	report(what, openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: out, Status: e.Status, Header: e.AnswerHeader, Body: io.NopCloser(bytes.NewReader([]byte(e.Answer))), Options: out.Options,
	}))
}

var failed bool

// report prints what is wrong, if anything is.
func report(what string, err error) {
	if err != nil {
		failed = true
		fmt.Printf("%s: %v\n", what, err)
	}
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
