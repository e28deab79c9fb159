// A web app that starts in a millisecond, for benches: what they measure is not the app.
// It greets on $PORT; `/?sleep_ms=N` takes its time. Its log says when it was about to listen.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"
)

func hello(w http.ResponseWriter, r *http.Request) {
	if text := r.URL.Query().Get("sleep_ms"); text != "" {
		ms, err := strconv.ParseFloat(text, 64)
		if err != nil {
			http.Error(w, "sleep_ms: a number of milliseconds", http.StatusBadRequest)
			return
		}
		time.Sleep(time.Duration(ms * float64(time.Millisecond)))
	}
	io.WriteString(w, "Hello World!\n")
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	http.HandleFunc("/", hello)
	log.SetFlags(log.LstdFlags | log.Lmicroseconds | log.LUTC)
	log.Print("serving")
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
