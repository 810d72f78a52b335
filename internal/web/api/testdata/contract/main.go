// Command contract checks the API against its document from outside: the document is
// one of OpenAPI 3.1, all exchanges that a test recorded are as it says, and a client
// that is generated of it works. What is wrong it prints.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	verrors "github.com/pb33f/libopenapi-validator/errors"
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
	text, err := os.ReadFile(*document)
	must(err)
	doc, err := libopenapi.NewDocument(text)
	must(err)
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithStrictMode(),
		// What every answer has, and what the validator takes for unknown though it is a map's.
		config.WithStrictIgnoredHeadersExtra("Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options"),
		config.WithStrictIgnorePaths("$.body.submissions[*].context.campaign.*"))
	if errs != nil {
		must(fmt.Errorf("%v", errs))
	}
	if ok, wrong := v.ValidateDocument(); !ok {
		report("the document", wrong)
	}
	file, err := os.Open(*exchanges)
	must(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e exchange
		must(json.Unmarshal(lines.Bytes(), &e))
		check(v, e)
	}
	must(lines.Err())
	use(*url, *key)
	if failed {
		os.Exit(1)
	}
}

// check tells whether an exchange is as the document says.
func check(v validator.Validator, e exchange) {
	what := fmt.Sprintf("%s %s: %d", e.Method, e.URL, e.Status)
	request := func() *http.Request {
		r, err := http.NewRequest(e.Method, e.URL, bytes.NewReader([]byte(e.Body)))
		must(err)
		r.Header = e.Header.Clone()
		return r
	}
	if e.Good {
		if ok, wrong := v.ValidateHttpRequest(request()); !ok {
			report(what+": the request", wrong)
		}
	}
	answer := &http.Response{StatusCode: e.Status, Header: e.AnswerHeader, Body: io.NopCloser(bytes.NewReader([]byte(e.Answer)))}
	if ok, wrong := v.ValidateHttpResponse(request(), answer); !ok {
		report(what, wrong)
	}
}

var failed bool

func report(what string, wrong []*verrors.ValidationError) {
	failed = true
	for _, w := range wrong {
		fmt.Printf("%s: %s: %s\n", what, w.Message, w.Reason)
		for _, s := range w.SchemaValidationErrors {
			fmt.Printf("    %s: %s\n", s.FieldPath, s.Reason)
		}
	}
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
